"""From the merged tree to `Settings`, or to a list of everything that is wrong with it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from infrastructure.config.binding import Binder, choices, element_of, is_model, is_secret, value_of
from infrastructure.config.models.base import Block, Named, wrapped
from infrastructure.config.models.resilience import HEDGED_PARTS
from infrastructure.config.models.settings import Settings
from infrastructure.config.nodes import Node, Scalar, Table, find, is_null, walk
from infrastructure.config.origins import Layer, Origin
from infrastructure.config.placeholders import advice
from infrastructure.config.problems import Report
from infrastructure.config.tree import NAME
from infrastructure.config.wording import found_in, is_harmless, message_of
from infrastructure.errors import ConfigurationError, UnknownKindError, did_you_mean
from infrastructure.registry import registry_of


def validate(tree: Table, profiles: Iterable[str], report: Report) -> Settings | None:
    """The settings; None when the report has problems."""
    sections = _Validation(tree, report).sections()
    if report.problems:
        return None
    settings = Settings(**sections)._remember(profiles, _origins(tree))  # noqa: SLF001 -- its only maker
    _note_unknown_policies(settings, report)
    _note_wrong_connections(settings, report)
    _note_vain_hedges(settings, report)
    return None if report.problems else settings


def _note_unknown_policies(settings: Settings, report: Report) -> None:
    known = settings.resilience.policies
    for path, name in settings.policies_named().items():
        if name not in known:
            here = f"{path}.policy"
            hint = f"{did_you_mean(name, known)}Known: {', '.join(sorted(known)) or 'none'}."
            origin = settings.origin(here)
            word = "" if origin.is_outside else f" '{name}'"
            report.add(origin, here, f"there is no policy{word} under resilience.policies", hint)


def _note_wrong_connections(settings: Settings, report: Report) -> None:
    """A limit that processes share counts in a Redis of the part `db`."""
    blocks = {f"db.{path}": block for path, block in settings.db.blocks().items()}
    known = sorted(path for path, block in blocks.items() if block.kind == _COUNTING_KIND)
    for here, path in settings.resilience.shared_limits().items():
        origin = settings.origin(here)
        word = "this block" if origin.is_outside else f"'{path}'"
        if path not in blocks:
            hint = f"{did_you_mean(path, known)}Known of kind redis: {', '.join(known) or 'none'}."
            report.add(origin, here, f"there is no {word}", hint)
        elif path not in known:
            found = f"{word} is of kind {blocks[path].kind}, and a limit is counted in redis"
            report.add(origin, here, found, f"Known of kind redis: {', '.join(known) or 'none'}.")
        elif _is_limited(settings, path):
            what = f"{word} has a policy with such a limit itself, so that asking would not end"
            report.add(origin, here, what, f"Give {path} a policy without a connection.")


def _note_vain_hedges(settings: Settings, report: Report) -> None:
    """A hedge around calls of which none may be made twice would do nothing."""
    known = settings.resilience.policies
    for path, name in settings.policies_named().items():
        part = path.partition(".")[0]
        if (
            name in known
            and settings.resilience.policy(name).is_hedged
            and part not in HEDGED_PARTS
        ):
            here = f"{path}.policy"
            known_parts = ", ".join(sorted(HEDGED_PARTS))
            hint = f"Say hedge: {{enabled: false}} there. Hedged: {known_parts}."
            what = f"it has a hedge, and no call of the part {part} may be made twice"
            report.add(settings.origin(here), here, what, hint)


def _is_limited(settings: Settings, path: str) -> bool:
    policy = settings.policies_named().get(path)
    return policy is not None and settings.resilience.policy(policy).shared_limit is not None


_COUNTING_KIND = "redis"
_NO_NAME = "is no name: names are lower-case identifiers without `__`"
_KEY = "[key]"


class _Validation:
    def __init__(self, tree: Table, report: Report) -> None:
        self._tree = tree
        self._report = report
        self._binder = Binder(report)

    def sections(self) -> dict[str, Any]:
        """Every top-level part that is there, validated by its own model."""
        for key, node in self._tree.items.items():
            if key not in Settings.model_fields:
                self._binder.note_unknown(node, key, Settings.model_fields)
        return {
            name: section
            for name, field in Settings.model_fields.items()
            if (section := self._section(name, field.annotation)) is not None
        }

    def _section(self, name: str, annotation: Any) -> Any:
        node = self._tree.child(name)
        if issubclass(annotation, Named):
            return self._part(name, node, annotation)
        if node is None or is_null(node):
            return None
        if not isinstance(node, Table):
            self._report.add(node.origin, name, "should be a mapping")
            return None
        return self._model(annotation, self._binder.bind(node, annotation, name), node, name)

    def _part(self, name: str, node: Node | None, model: type[Named[Any]]) -> Named[Any] | None:
        if node is not None and not is_null(node) and not isinstance(node, Table):
            self._report.add(node.origin, name, "should be a mapping")
            return None
        table = node if isinstance(node, Table) else Table({}, Origin(Layer.DEFAULT))
        for key, child in table.items.items():
            if key not in model.model_fields:
                self._binder.note_unknown(child, f"{name}.{key}", model.model_fields)
        blocks: dict[str, Any] = {}
        if "default" in model.model_fields:
            blocks["default"] = self._block(name, table.child("default"), f"{name}.default")
            if is_null(table.child("default")):
                self._note_missing(table, f"{name}.default", "is missing: a block with its `kind`")
        blocks["instances"] = self._instances(name, table.child("instances"))
        is_whole = len(blocks["instances"]) == _count(table.child("instances"))
        return model(**blocks) if is_whole and None not in blocks.values() else None

    def _instances(self, part: str, node: Node | None) -> dict[str, Block]:
        if node is None or is_null(node):
            return {}
        path = f"{part}.instances"
        if not isinstance(node, Table):
            self._report.add(node.origin, path, "should be a mapping of names to blocks")
            return {}
        blocks: dict[str, Block] = {}
        for name, child in node.items.items():
            if not NAME.fullmatch(name):
                self._report.add(child.origin, f"{path}.{name}", _NO_NAME)
            if (block := self._block(part, child, f"{path}.{name}")) is not None:
                blocks[name] = block
        return blocks

    def _block(self, part: str, node: Node | None, path: str) -> Any:
        if node is None or is_null(node):
            return None
        if not isinstance(node, Table):
            self._report.add(node.origin, path, "should be a mapping with a `kind`")
            return None
        model = self._model_of_kind(part, node, path)
        if model is None:
            return None
        data = self._binder.bind_model(node, model, path)
        for field, inner in wrapped(model).items():
            child = node.child(field)
            if child is not None and not is_null(child):
                data[field] = self._block(inner, child, f"{path}.{field}")
        if any(each is None for each in data.values()):
            return None  # a block inside, whose problem is noted
        return self._model(model, data, node, path)

    def _model_of_kind(self, part: str, table: Table, path: str) -> Any:
        kind, here = table.child("kind"), f"{path}.kind"
        if not isinstance(kind, Scalar) or not kind.text:
            if here not in self._report.blamed:
                self._note_kind(part, table, kind, here)
            return None
        try:
            return registry_of(part).resolve(kind.text).Settings
        except UnknownKindError as error:
            message, hint = _unknown_kind(kind, error, here)
        except ConfigurationError as error:
            message, hint = error.what, error.hint
        self._report.add(kind.origin, here, message, hint)
        return None

    def _note_kind(self, part: str, table: Table, kind: Node | None, path: str) -> None:
        known = f"Known: {', '.join(registry_of(part).kinds())}."
        if isinstance(kind, Scalar) and kind.origin.empty:
            message = f"{kind.origin.empty} is set but empty"
            self._report.add(kind.origin, path, message, known)
        elif isinstance(kind, Scalar):
            self._note_missing(table, path, "is required", known)
        elif kind is None:
            self._note_missing(table, path, "is missing", known)
        else:
            self._report.add(kind.origin, path, "should be the name of a kind", known)

    def _model(self, model: Any, data: Any, node: Table, path: str) -> Any:
        # The vendor's error holds the input, so it must not become the context of ours.
        try:
            return model.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False, include_context=False)
        for each in errors:
            self._note(each, model, node, path)
        return None

    def _note(self, error: Any, model: Any, block: Table, path: str) -> None:
        steps, node = _target(block, error)
        here = ".".join((path, *(str(step) for step in steps)))
        if here in self._report.blamed:
            return
        if error["type"] == "missing" or (is_null(node) and node is not None and node.origin.unset):
            self._note_missing(block, here, "is required")
        elif _KEY in error["loc"]:
            self._report.add(node.origin if node else "", here, _NO_NAME)
        else:
            is_secret = _is_secret_field(model, steps)
            message = message_of(error, node)
            if not _is_quoted(node, message):
                message += found_in(node, here, is_secret=is_secret)
            origin = _start_of(node) if isinstance(node, Table) else (node or block).origin
            self._report.add(origin, here, message, _unset_in(node))

    def _note_missing(self, table: Table, path: str, message: str, hint: str = "") -> None:
        if path in self._report.blamed:
            return
        node = find(self._tree, tuple(path.split(".")))
        if node is not None and (unset := node.origin.unset):
            if not self._report.lacks_variables:
                needs = f"needs ${{{unset[0]}}}, which is not set"
                self._report.add(node.origin, path, needs, advice(unset[0]))
        elif not self._report.lacks_files:
            self._report.add(_start_of(table), path, message, hint)


def _count(node: Node | None) -> int:
    return sum(not is_null(each) for each in node.items.values()) if isinstance(node, Table) else 0


def _target(block: Table, error: Any) -> tuple[tuple[Any, ...], Node | None]:
    """The steps of an error that are keys of the block; the names of union members are not."""
    steps: tuple[Any, ...] = ()
    node: Node | None = block
    for step in error["loc"]:
        below = find(node, (step,))
        if below is None:
            # A key of JSON text from outside is as secret as the text.
            is_absent = error["type"] == "missing" and isinstance(node, Table)
            return ((*steps, step), None) if is_absent else (steps, node)
        steps, node = (*steps, step), below
    return steps, node


def _is_secret_field(model: type[BaseModel], steps: tuple[Any, ...]) -> bool:
    annotation: Any = model
    for step in steps:
        owner = next((each for each in choices(annotation) if is_model(each)), None)
        if owner is None or step not in owner.model_fields:
            annotation = element_of(annotation) if isinstance(step, int) else value_of(annotation)
        else:
            annotation = owner.model_fields[step].annotation
        if is_secret(annotation):
            return True
    return False


def _unknown_kind(kind: Scalar, error: UnknownKindError, path: str) -> tuple[str, str]:
    if is_harmless(kind, path):
        return error.what, error.hint
    source = kind.origin.variable or kind.origin.layer
    # the hint names a known word at most, so it says nothing of a value that is like none of them
    return f"unknown kind from {source}", error.hint


def _is_quoted(node: Node | None, message: str) -> bool:
    return isinstance(node, Scalar) and (
        f"'{node.text}'" in message or f"-> {node.text}" in message
    )


def _unset_in(node: Node | None) -> str:
    """What to do when a whole block was refused and some of its variables are not set."""
    if not isinstance(node, Table):
        return ""
    names = {name: None for _, each in walk(node, "*") for name in each.origin.unset}
    return f"Not set: {', '.join(names)}." if names else ""


def _start_of(table: Table) -> Origin:
    """A block begins, for a reader, where its kind stands."""
    kind = table.child("kind")
    return kind.origin if isinstance(kind, Scalar) else table.origin


def _origins(tree: Table) -> dict[str, Origin]:
    """The origin of every path; what is null in the end has its model's default."""
    origins = {}
    for path, node in walk(tree):
        origin = _start_of(node) if isinstance(node, Table) else node.origin
        origins[path] = replace(origin, layer=Layer.DEFAULT) if is_null(node) else origin
    return origins
