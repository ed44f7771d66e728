"""From nodes to what a model is validated with: the type of the field decides how text is read.

Text in a field of text stays as written (`zip: 0123`); a plain YAML scalar elsewhere is read by
YAML 1.2; text from outside YAML is never read by YAML rules, the field's type converts it.
"""

import json
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

from infrastructure.config.models.base import wrapped
from infrastructure.config.nodes import Native, Node, Scalar, Sequence, Table, is_null
from infrastructure.config.problems import Report
from infrastructure.config.scalars import typed
from infrastructure.config.secrets import is_secret_type
from infrastructure.errors import did_you_mean

_NUMBERS = (int, float)
_LISTS = (list, tuple, set, frozenset, Iterable)


class Binder:
    """Turns one tree into plain data for one model, noting keys that the model does not have."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def bind_model(self, table: Table, model: type[BaseModel], path: str) -> dict[str, Any]:
        """The data of a model's fields; null, unknown keys and blocks inside are left out."""
        known = model.model_fields
        inner = wrapped(model)
        data: dict[str, Any] = {}
        for key, node in table.items.items():
            here = f"{path}.{key}" if path else key
            if key not in known:
                self.note_unknown(node, here, known)
            elif not is_null(node) and key not in inner:
                annotation, is_required = known[key].annotation, known[key].is_required()
                if not self._is_bare(node, annotation, is_required, here):
                    data[key] = self.bind(node, annotation, here)
        return data

    def bind(self, node: Node, annotation: Any, path: str) -> Any:
        """The data of a field with this annotation."""
        if isinstance(node, Native):
            return node.value
        if isinstance(node, Table):
            return self._bind_table(node, annotation, path)
        if isinstance(node, Sequence):
            inner = element_of(annotation)
            return [self.bind(each, inner, f"{path}.{at}") for at, each in enumerate(node.items)]
        if node.text is not None and not node.is_plain and _wants_container(annotation):
            return _from_json(node.text)
        return read(node, annotation)

    def note_unknown(self, node: Node, path: str, known: Iterable[str]) -> None:
        """Report a key that nothing reads; its value is nobody's business."""
        names = sorted(known)
        hint = f"{did_you_mean(path.rpartition('.')[2], names)}Known: {', '.join(names)}."
        self._report.add(node.origin, path, "unknown key", hint)

    def _bind_table(self, table: Table, annotation: Any, path: str) -> Any:
        model = next((each for each in choices(annotation) if is_model(each)), None)
        if model is not None and not issubclass(model, RootModel):
            return self.bind_model(table, model, path)
        inner = value_of(annotation)
        keeps_null = annotation is Any  # data of its own, where null is a value
        return {
            key: self.bind(node, inner, f"{path}.{key}")
            for key, node in table.items.items()
            if (keeps_null or not is_null(node))
            and not self._is_bare(node, inner, False, f"{path}.{key}")
        }

    def _is_bare(self, node: Node, annotation: Any, is_required: bool, path: str) -> bool:
        """A variable exists but is empty where empty text says nothing."""
        if not isinstance(node, Scalar) or node.text != "" or not node.origin.empty:
            return False
        if str in choices(annotation) and not is_required:
            return False
        name = node.origin.empty
        hint = f"Give {name} a value or unset it; SWITCHGEAR_EMPTY_IS_UNSET=1 does so for all."
        self._report.add(node.origin, path, f"{name} is set but empty", hint)
        return True


def read(node: Scalar, annotation: Any) -> Any:
    """The value of a scalar for a field of this type."""
    text = node.text
    if text is None or not node.is_plain:
        return text
    types_ = choices(annotation)
    if str in types_ and not any(each in types_ for each in (bool, *_NUMBERS)):
        return text
    value = typed(text)
    if object in types_ or Any in types_:
        return value
    if isinstance(value, bool):
        return value if bool in types_ else text
    return value if any(each in types_ for each in (bool, *_NUMBERS)) else text


@cache
def choices(annotation: Any) -> tuple[Any, ...]:
    """What a field may hold besides None: the members of a union, or the type itself."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return choices(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        members = (choices(each) for each in get_args(annotation) if each is not type(None))
        return tuple(each for member in members for each in member)
    return (annotation,)


@cache
def element_of(annotation: Any) -> Any:
    """The annotation of a list's elements; Any when there is none."""
    for choice in choices(annotation):
        arguments = get_args(choice)
        if arguments and _is_list(choice):
            return arguments[0]
    return Any


def is_secret(annotation: Any) -> bool:
    """The field's type says that its value is a secret."""
    return any(is_secret_type(each) for each in choices(annotation))


@cache
def value_of(annotation: Any) -> Any:
    """The annotation of a mapping's values; Any when there is none."""
    for choice in choices(annotation):
        if is_model(choice) and issubclass(choice, RootModel):
            return value_of(choice.model_fields["root"].annotation)
        origin, arguments = get_origin(choice), get_args(choice)
        if isinstance(origin, type) and issubclass(origin, Mapping) and arguments:
            return arguments[1]
    return Any


@cache
def _wants_container(annotation: Any) -> bool:
    return not any(each in {str, Any, object} for each in choices(annotation)) and any(
        is_model(each) or _is_list(each) or _is_mapping(each) for each in choices(annotation)
    )


def is_model(annotation: Any) -> bool:
    """The annotation is a model's class."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    return (
        isinstance(origin, type)
        and issubclass(origin, _LISTS)
        and not (issubclass(origin, (str, bytes, Mapping, BaseModel)))
    )


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _from_json(text: str) -> Any:
    # What is no JSON goes on as text, and the model says what it wanted instead.
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, (list, dict)) else text
