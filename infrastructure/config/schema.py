"""A JSON Schema for each shipped YAML file, so that editors complete keys and mark typing errors.

Looser than the models where YAML is: any number or boolean may be a placeholder, text may be
written as a number, null stands for the model's default, and nothing is required, since another
layer may have it. `python -m infrastructure.config.schema` writes the files anew.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from infrastructure.config.models.base import wrapped
from infrastructure.config.models.settings import Settings
from infrastructure.config.resources import packaged_folder
from infrastructure.registry import PARTS, registry_of

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAME = "^(?!.*__)[a-z][a-z0-9_]*$"
_PLACEHOLDER = {"type": "string", "pattern": r"\$\{"}
_NULL = {"type": "null"}
_DROPPED = frozenset({"title", "default", "format", "writeOnly", "required"})
_SCALARS = frozenset({"integer", "number", "boolean"})
_GROUPS = {
    "type": ["object", "null"],
    "description": "One name for several profiles, the last one winning.",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}

#: The parts that each file holds; every profile overlay may hold all of them.
FILES: Mapping[str, tuple[str, ...]] = {
    "application": ("app", "features", "paths", "profiles"),
    "application-cache": ("cache",),
    "application-db": ("db",),
    "application-external": ("external",),
    "application-llm": ("llm", "embeddings"),
    "application-logging": ("logging",),
    "application-resilience": ("resilience",),
    "application-vector": ("vector",),
    "profile": tuple(Settings.model_fields),
}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each file by the file's stem; needs the package of every kind.

    Raises:
        MissingExtraError: The package of a kind is not installed.
    """
    return {stem: _file_schema(stem, names) for stem, names in FILES.items()}


def write_schemas(folder: Path) -> None:
    """Write every schema to `folder/<stem>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, schema in schemas().items():
        (folder / f"{stem}.json").write_text(rendered(schema), encoding="utf-8")


def rendered(schema: Mapping[str, Any]) -> str:
    """The text of a schema file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _file_schema(stem: str, names: Iterable[str]) -> dict[str, Any]:
    file = "profiles/<profile>" if stem == "profile" else stem
    return {
        "$schema": _DIALECT,
        "title": f"Switchgear: {file}.yaml",
        "type": ["object", "null"],
        "properties": {name: _part_schema(name) for name in names},
        "additionalProperties": False,
        "$defs": {name: _block_schema(name) for name in names if name in PARTS},
    }


def _part_schema(name: str) -> dict[str, Any]:
    if name == "profiles":
        properties = {"groups": _GROUPS}
        return {"type": "object", "properties": properties, "additionalProperties": False}
    if name not in PARTS:
        model: Any = Settings.model_fields[name].annotation
        return _nullable(_loosened(_inlined(model.model_json_schema())))
    block = {"$ref": f"#/$defs/{name}"}
    has_default = "default" in getattr(Settings.model_fields[name].annotation, "model_fields", {})
    instances = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": block,
    }
    return {
        "type": ["object", "null"],
        "properties": {**({"default": block} if has_default else {}), "instances": instances},
        "additionalProperties": False,
    }


def _block_schema(part: str) -> dict[str, Any]:
    """Any of the part's kinds; a block without `kind` may have the keys of any."""
    registry = registry_of(part)
    kinds = {kind: registry.resolve(kind).Settings for kind in registry.kinds()}
    return {"anyOf": [*(_kind_schema(kind, model) for kind, model in kinds.items()), _NULL]}


def _kind_schema(kind: str, model: Any) -> dict[str, Any]:
    schema: dict[str, Any] = _loosened(_inlined(model.model_json_schema()))
    schema["title"] = kind
    schema["properties"]["kind"] = {"anyOf": [{"const": kind}, _PLACEHOLDER]}
    for field, part in wrapped(model).items():
        schema["properties"][field] = {"$ref": f"#/$defs/{part}"}
    return schema


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without references, as several models share one file."""
    definitions = schema.pop("$defs", {})

    def replaced(node: Any) -> Any:
        if isinstance(node, list):
            return [replaced(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            rest = {key: each for key, each in node.items() if key != "$ref"}
            return replaced({**definitions[name], **rest})
        return {key: replaced(each) for key, each in node.items()}

    found: dict[str, Any] = replaced(schema)
    return found


def _loosened(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value as YAML may write it."""
    schema = {key: each for key, each in schema.items() if key not in _DROPPED}
    for key in ("anyOf", "oneOf", "prefixItems"):
        if key in schema:
            schema[key] = [_loosened(each) for each in schema[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _nullable(_loosened(schema[key]))
    if "patternProperties" in schema:
        schema.setdefault("additionalProperties", False)  # no other names
    for key in ("properties", "patternProperties"):
        named = schema.get(key, {}).items()
        schema |= {key: {name: _nullable(_loosened(each)) for name, each in named}} if named else {}
    return _with_placeholder(schema)


def _with_placeholder(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: schema.pop(key) for key in ("description",) if key in schema}
    if schema.get("type") in _SCALARS or "enum" in schema or "const" in schema:
        return {**kept, "anyOf": [schema, _PLACEHOLDER]}
    if schema.get("type") == "string":
        return {**kept, **schema, "type": ["string", "number", "boolean"]}
    return {**kept, **schema}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        choices = schema["anyOf"]
        return {**schema, "anyOf": choices if _NULL in choices else [*choices, _NULL]}
    if isinstance(schema.get("type"), list):
        return {**schema, "type": [*schema["type"], "null"]}
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else schema


if __name__ == "__main__":
    write_schemas(packaged_folder() / "schema")
