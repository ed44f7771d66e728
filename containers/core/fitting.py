"""Whether what is given fits an annotation; only what is certain counts as a misfit."""

import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union

from dependency_injector import providers as di

from containers.core.ports import port_of

_UNKNOWN = object()
#: What Python's own typing rules accept in place of the annotated class.
_PROMOTED: dict[type, tuple[type, ...]] = {
    float: (int,),
    complex: (int, float),
    bytes: (bytearray, memoryview),
}


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a callable's parameters; empty where they cannot be evaluated."""
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def misfit(given: Any, annotation: Any) -> str:
    """What is given where something else is expected, in words; empty when it may fit."""
    expected = _classes(annotation)
    if not expected:
        return ""
    if not isinstance(given, di.Provider):
        if any(_value_fits(given, one) for one in expected):
            return ""
        return f"is {type(given).__qualname__}, not {_named(annotation)}"
    made, exact = _made_by(given)
    if made is _UNKNOWN or any(_class_fits(made, one, exact=exact) for one in expected):
        return ""
    return f"is made by a provider of {made.__qualname__}, not {_named(annotation)}"


def _classes(annotation: Any) -> tuple[type, ...]:
    """The classes an annotation admits; empty when it admits what cannot be told."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _classes(annotation.__origin__)
    if origin in {Union, types.UnionType}:
        parts = [_classes(part) for part in typing.get_args(annotation)]
        return tuple(one for part in parts for one in part) if all(parts) else ()
    if origin is Literal:
        return tuple({type(value) for value in typing.get_args(annotation)})
    if annotation is None:
        return (type(None),)
    found = origin or annotation
    return (found,) if isinstance(found, type) and found not in {Any, object} else ()


#: What a provider of a kind gives, and whether no subclass of it.
_GIVEN: tuple[tuple[type, tuple[type, bool]], ...] = (
    (di.Delegate, (di.Provider, False)),
    (di.List, (list, True)),
    (di.Dict, (dict, True)),
)


def _made_by(provider: di.Provider[Any]) -> tuple[Any, bool]:
    """The class of a provider's objects, and whether that is told by a class, not an annotation."""
    port = port_of(provider)
    if getattr(type(provider), "is_named_in_scope", False):  # it holds the name of what it gives
        return port or _UNKNOWN, False
    if isinstance(provider, di.Object):
        return type(provider.provides), True
    if isinstance(provider, (di.Factory, di.BaseSingleton, di.Callable)):
        return port or _UNKNOWN, port is provider.provides
    return next((made for kind, made in _GIVEN if isinstance(provider, kind)), (_UNKNOWN, False))


def _value_fits(value: Any, expected: type) -> bool:
    return _class_fits(type(value), expected, exact=True)


def _class_fits(made: type, expected: type, *, exact: bool) -> bool:
    if getattr(expected, "_is_protocol", False):
        members = typing.get_type_hints(expected).keys() | _methods(expected)
        return all(hasattr(made, name) or _annotated(made, name) for name in members)
    if issubclass(made, (expected, *_PROMOTED.get(expected, ()))):
        return True
    # an annotation may promise less than what really comes, a class never does
    return not exact and issubclass(expected, made)


def _methods(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def _annotated(made: type, name: str) -> bool:
    return any(name in vars(base).get("__annotations__", {}) for base in made.__mro__)


def _named(annotation: Any) -> str:
    return getattr(annotation, "__qualname__", None) or str(annotation).replace("typing.", "")
