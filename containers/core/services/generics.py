"""Generic classes: which closed form a registration serves, and what its type variables are."""

import typing
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

Bindings = dict[Any, Any]


def class_of(service: Any) -> Any:
    """`Repository` of `Repository[User]`; anything else as it is."""
    return typing.get_origin(service) or service


def is_open(service: Any) -> bool:
    """Whether it is a generic class by its bare name."""
    return isinstance(service, type) and bool(getattr(service, "__parameters__", ()))


def name_of(service: Any) -> str:
    """The name people know it by: `Repository[User]`, without module and function."""
    arguments = typing.get_args(service)
    if arguments and not isinstance(service, type):
        inner = ", ".join(name_of(argument) for argument in arguments)
        return f"{name_of(class_of(service))}[{inner}]"
    name = getattr(service, "__qualname__", None) or getattr(service, "__name__", None)
    return str(name).rpartition("<locals>.")[2] if name else str(service)


def substituted(annotation: Any, bindings: Mapping[Any, Any]) -> Any:
    """The annotation with its type variables replaced."""
    if isinstance(annotation, TypeVar):
        return bindings.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if not parameters or isinstance(annotation, type):
        return annotation
    return annotation[tuple(bindings.get(one, one) for one in parameters)]


def closed_target(target: Any, service: Any, asked: Any) -> Any:
    """The class to make for `asked`, from an open registration; None when it does not fit.

    Args:
        target: The registered class, generic or not.
        service: The open generic it is registered for.
        asked: A closed form of `service`.
    """
    cls = class_of(target)
    pattern = arguments_for(target, service)
    if pattern is None:  # a protocol that the class does not name
        pattern = tuple(getattr(cls, "__parameters__", ()))
        if len(pattern) not in {0, len(typing.get_args(asked))}:
            return None
    bindings = _unified(pattern, typing.get_args(asked))
    if bindings is None:
        return None
    own = getattr(target, "__parameters__", ())
    return target[tuple(bindings.get(one, Any) for one in own)] if own else target


def arguments_for(target: Any, wanted: Any) -> tuple[Any, ...] | None:
    """With which arguments `target` derives from the generic `wanted`; None when it does not."""
    cls = class_of(target)
    if not isinstance(cls, type):
        return None
    parameters = getattr(cls, "__parameters__", ())
    arguments = typing.get_args(target) or parameters
    if cls is wanted:
        return tuple(arguments)
    bindings = dict(zip(parameters, arguments, strict=False))
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        if class_of(base) in {Generic, Protocol}:
            continue
        found = arguments_for(substituted(base, bindings), wanted)
        if found is not None:
            return found
    return None


def bindings_in(target: Any, method: str) -> Bindings:
    """The type variables seen by `method`, in the class of the bases that defines it."""
    cls = class_of(target)
    if not isinstance(cls, type):
        return {}
    definer = next((base for base in cls.__mro__ if method in vars(base)), cls)
    arguments = arguments_for(target, definer) or ()
    return dict(zip(getattr(definer, "__parameters__", ()), arguments, strict=False))


def _unified(pattern: tuple[Any, ...], asked: tuple[Any, ...]) -> Bindings | None:
    """The variables of the pattern, when it can be what is asked."""
    found: Bindings = {}
    for have, want in zip(pattern, asked, strict=False):
        if isinstance(have, TypeVar):
            if found.setdefault(have, want) != want:
                return None
        elif typing.get_args(have) and class_of(have) is class_of(want):
            inner = _unified(typing.get_args(have), typing.get_args(want))
            if inner is None:
                return None
            found |= inner
        elif have != want:
            return None
    return found
