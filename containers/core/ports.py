"""What the dependants of a provider expect, and whether a stand-in has it."""

import inspect
import typing
from typing import Any

from dependency_injector import providers as di

from containers.errors import OverrideTypeError


def port_of(provider: Any) -> type | None:
    """The class that dependants expect: declared on the provider, or told by its target.

    A target that is a class is its own port; that of a function is its return annotation.
    """
    declared = getattr(provider, "port", None)
    if isinstance(declared, type):
        return declared
    target = getattr(provider, "provides", None)
    if isinstance(provider, di.Object) or target is None or isinstance(target, di.Provider):
        return None
    if isinstance(target, type):
        return target
    return _returned(target)


def check(path: str, provider: Any, stand_in: Any) -> None:
    """Refuse a stand-in that lacks what the port has.

    Raises:
        OverrideTypeError: With the methods that are missing.
    """
    port = port_of(provider)
    given = _given(stand_in)
    if port is None or given is None or issubclass(given[0], port):
        return
    missing = sorted(name for name in _methods(port) if not hasattr(given[1], name))
    if missing:
        raise OverrideTypeError(
            f"cannot be replaced by {given[0].__qualname__}: it has no {', '.join(missing)}",
            where=path,
            hint=f"Give a {port.__qualname__}, or an object with its methods.",
        )


def _given(stand_in: Any) -> tuple[type, Any] | None:
    """The class of what stands in, and where to look for its methods; None when not known."""
    if not isinstance(stand_in, di.Provider):
        return type(stand_in), stand_in
    if isinstance(stand_in, di.Object):
        return type(stand_in.provides), stand_in.provides
    port = port_of(stand_in)
    return (port, port) if port is not None else None


def _methods(port: type) -> list[str]:
    return [
        name
        for name, _ in inspect.getmembers(port, callable)
        if not name.startswith("_") and not hasattr(object, name)
    ]


def _returned(target: Any) -> type | None:
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        return None
    try:
        returned = typing.get_type_hints(target).get("return")
    except (NameError, TypeError):
        return None
    return returned if isinstance(returned, type) and returned is not Any else None
