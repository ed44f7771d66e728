"""What a class or factory asks for, told by its annotations."""

import inspect
import types
import typing
from collections import abc
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Union

from containers.core.services import generics
from containers.core.services.registrations import Key, ServiceKey, marked_constructor
from containers.errors import ServiceCreationError

NOTHING: Any = inspect.Parameter.empty

_COLLECTIONS = {list, abc.Sequence, abc.Collection, abc.Iterable}
_PASSED_BY_NAME = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


@dataclass(frozen=True, slots=True)
class Wish:
    """What an annotation asks for.

    Attributes:
        service: The type, without `Annotated` and `| None`.
        key: The key it is asked with.
        is_optional: Whether None will do.
        is_key: Whether the key of the object being made is meant.
    """

    service: Any
    key: Hashable = None
    is_optional: bool = False
    is_key: bool = False

    @property
    def element(self) -> Any:
        """The service of which all are asked for; `NOTHING` when it is no collection."""
        arguments = typing.get_args(self.service)
        is_collection = typing.get_origin(self.service) in _COLLECTIONS
        return arguments[0] if is_collection and len(arguments) == 1 else NOTHING


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of what is called to make an object."""

    name: str
    annotation: Any
    default: Any
    is_positional_only: bool
    is_keyword_only: bool = False

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is NOTHING


@dataclass(frozen=True, slots=True)
class Constructor:
    """One way to call a class or factory; a class with `@overload`s has several.

    Attributes:
        is_in_order: Whether the parameters stand as in what is really called.
    """

    call: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    is_factory: bool
    is_in_order: bool = True


def wish_of(annotation: Any, key: Hashable = None) -> Wish:
    """Take an annotation apart."""
    is_optional = is_key = False
    while True:
        if typing.get_origin(annotation) is Annotated:
            for mark in annotation.__metadata__:
                key = mark.value if isinstance(mark, Key) else key
                is_key |= mark is ServiceKey or isinstance(mark, ServiceKey)
            annotation = annotation.__origin__
        elif len(others := _without_none(annotation)) == 1:
            annotation, is_optional = others[0], True
        else:
            return Wish(annotation, key, is_optional, is_key)


def constructors_of(target: Any) -> tuple[Constructor, ...]:
    """The ways to make an object: the marked constructor, the overloads, or the one signature.

    Raises:
        ServiceCreationError: An annotation mentions a name that does not exist at run time.
    """
    cls = generics.class_of(target)
    if not isinstance(cls, type):
        return (_constructor(target, target, _annotated_by(target), is_factory=True),)
    if marked := marked_constructor(cls):
        bindings = generics.bindings_in(target, marked.__name__)
        return (_constructor(marked, marked, marked, bindings),)
    init = _initializer(cls)
    bindings = generics.bindings_in(target, "__init__")
    overloads = typing.get_overloads(init) if inspect.isfunction(init) else ()
    if overloads:
        return tuple(_constructor(target, one, one, bindings, skips=1) for one in overloads)
    return (_constructor(target, cls, init, bindings),)


def _constructor(
    call: Any,
    signed: Any,
    annotated: Any,
    bindings: Mapping[Any, Any] = types.MappingProxyType({}),
    *,
    skips: int = 0,
    is_factory: bool = False,
) -> Constructor:
    hints = _hints(annotated, call)
    bound = call.keywords if isinstance(call, partial) else {}
    found = [
        Parameter(
            one.name,
            generics.substituted(hints.get(one.name, NOTHING), bindings),
            one.default,
            one.kind is inspect.Parameter.POSITIONAL_ONLY,
            one.kind is inspect.Parameter.KEYWORD_ONLY,
        )
        for one in _signature(signed)[skips:]
        if one.name not in bound
    ]
    return Constructor(call, tuple(found), is_factory, is_in_order=not skips)


def _signature(signed: Any) -> list[inspect.Parameter]:
    """Its parameters without `*args` and `**kwargs`; a builtin class may have no signature."""
    try:
        parameters = inspect.signature(signed).parameters.values()
    except ValueError:
        return []
    kept = _PASSED_BY_NAME | {inspect.Parameter.POSITIONAL_ONLY}
    return [one for one in parameters if one.kind in kept]


def _hints(annotated: Any, call: Any) -> dict[str, Any]:
    if annotated is None:
        return {}
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise ServiceCreationError(
            f"an annotation of {generics.name_of(call)} cannot be evaluated: {error}",
            hint="Import the name at the top of its module, outside `if TYPE_CHECKING`.",
        ) from error
    except TypeError:  # a builtin callable carries no annotations
        return {}


def _initializer(cls: type) -> Any:
    """The function whose annotations a call of the class follows."""
    for name in ("__init__", "__new__"):
        function = getattr(cls, name)
        if function is not getattr(object, name):
            return function
    return None


def _annotated_by(target: Any) -> Any:
    while isinstance(target, partial):
        target = target.func
    is_object = not hasattr(target, "__annotations__") and not inspect.isroutine(target)
    return type(target).__call__ if is_object else target


def _without_none(annotation: Any) -> list[Any]:
    """The other members of a union with None."""
    members = typing.get_args(annotation)
    if typing.get_origin(annotation) not in {Union, types.UnionType} or type(None) not in members:
        return []
    return [one for one in members if one is not type(None)]
