"""Finding services by their marker: `@service` on a class or factory, `scan` on a package."""

import importlib
import inspect
import pkgutil
import typing
from collections import abc
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar, overload

from containers.core.services import generics
from containers.core.services.registrations import ServiceLifetime
from containers.errors import ServiceRegistrationError

T = TypeVar("T")

_MARKER = "__service__"
_YIELDING = {
    abc.AsyncGenerator,
    abc.AsyncIterator,
    abc.Generator,
    abc.Iterator,
}


@dataclass(frozen=True, slots=True)
class Marker:
    """How a marked class or factory is registered."""

    service: Any
    target: Any
    lifetime: ServiceLifetime
    key: Hashable


@overload
def service(cls: T, /) -> T:  # noqa: D418 - everything public has a docstring
    """Without parentheses."""


@overload
def service(  # noqa: D418 - everything public has a docstring
    *,
    lifetime: ServiceLifetime | str = ServiceLifetime.SINGLETON,
    interface: Any = None,
    key: Hashable = None,
) -> Callable[[T], T]:
    """With the lifetime, the service or the key."""


def service(
    cls: Any = None,
    /,
    *,
    lifetime: ServiceLifetime | str = ServiceLifetime.SINGLETON,
    interface: Any = None,
    key: Hashable = None,
) -> Any:
    """Mark a class or a factory for `DIContainer.scan`; it stays as it is.

    Args:
        cls: The class, when the decorator is written without parentheses.
        lifetime: How long an object is used.
        interface: The service; without it the class itself, or what the factory returns.
        key: The key it is registered with.
    """

    def mark(target: Any) -> Any:
        served = interface if interface is not None else _provided(target)
        marker = Marker(served, target, ServiceLifetime(lifetime), key)
        setattr(target, _MARKER, marker)
        return target

    return mark if cls is None else mark(cls)


def marked_in(package: str | ModuleType) -> Iterator[Marker]:
    """The markers of a package's modules, module by module, in the order of the text."""
    top = importlib.import_module(package) if isinstance(package, str) else package
    for module in _modules(top):
        for value in tuple(vars(module).values()):
            marker = getattr(value, "__dict__", {}).get(_MARKER)
            if isinstance(marker, Marker) and marker.target.__module__ == module.__name__:
                yield marker


def _modules(module: Any) -> Iterator[ModuleType]:
    """The module, and where it is a package all in it; `__main__` would run the program."""
    yield module
    found = sorted(one.name for one in pkgutil.iter_modules(getattr(module, "__path__", ())))
    for name in found:
        if name != "__main__":
            yield from _modules(importlib.import_module(f"{module.__name__}.{name}"))


def _provided(target: Any) -> Any:
    if inspect.isclass(target):
        return target
    returned = typing.get_type_hints(target).get("return")
    if generics.class_of(returned) in _YIELDING:
        returned = typing.get_args(returned)[0]
    if returned in {None, type(None)}:
        raise ServiceRegistrationError(
            f"the factory {generics.name_of(target)} does not say what it makes",
            hint="Annotate what it returns, or write @service(interface=...).",
        )
    return returned
