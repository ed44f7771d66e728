"""What is registered: a service, its key, its lifetime and what makes its objects."""

import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final, TypeVar, cast

from containers.core.fitting import misfit
from containers.core.services import generics
from containers.errors import ServiceRegistrationError

T = TypeVar("T")

_CONSTRUCTOR = "__service_constructor__"


class ServiceLifetime(StrEnum):
    """How long an object of a service is used."""

    SINGLETON = "singleton"
    """One object for the container."""
    SCOPED = "scoped"
    """One object for each scope."""
    TRANSIENT = "transient"
    """A new object each time."""


class AnyKey(Enum):
    """The type of `ANY_KEY`."""

    ANY_KEY = "any key"


#: Registered with: serves every key. Asked with, in a collection: everything that has a key.
ANY_KEY: Final = AnyKey.ANY_KEY


@dataclass(frozen=True, slots=True)
class Key:
    """Asks for a keyed service: `cache: Annotated[Cache, Key("sessions")]`."""

    value: Hashable


class ServiceKey:
    """Asks for the key the object is made for: `name: Annotated[str, ServiceKey]`."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ServiceDescriptor:
    """One line of a container; `container.descriptors` has them all.

    Attributes:
        service: The type it serves; an open generic serves every closed form.
        key: None, a key, or `ANY_KEY`.
        target: The class or factory; the object itself when it is ready.
        is_ready: Whether `target` is the object.
        order: Its place among all registrations, which collections keep.
        inner: What a decorator wraps.
        layer: The override that this stand-in belongs to.
        provider: The declarative container's provider that gives the objects.
        container: The declarative container whose scopes it is asked in.
        is_builtin: Whether `target` is called with the container and the provider that asks.
    """

    service: Any
    target: Any
    key: Hashable = None
    lifetime: ServiceLifetime = ServiceLifetime.SINGLETON
    order: int = 0
    is_ready: bool = False
    is_builtin: bool = False
    inner: "ServiceDescriptor | None" = None
    layer: object = None
    provider: Any = None
    container: Any = None

    @property
    def is_open(self) -> bool:
        """Whether it serves the closed forms of a generic, and not the bare name."""
        served_by_class = isinstance(generics.class_of(self.target), type)
        return not self.is_ready and served_by_class and generics.is_open(self.service)


def constructor(method: T) -> T:
    """Mark the classmethod by which containers make objects of its class."""
    setattr(getattr(method, "__func__", method), _CONSTRUCTOR, True)
    return method


def marked_constructor(cls: type) -> Callable[..., Any] | None:
    """The marked classmethod of a class or of its nearest base."""
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, classmethod) and hasattr(value.__func__, _CONSTRUCTOR):
                return cast("Callable[..., Any]", getattr(cls, name))
    return None


def checked_target(service: Any, target: Any) -> Any:
    """What makes the objects, when it can serve the type.

    Raises:
        ServiceRegistrationError: It is abstract, is no subclass, or cannot be called.
    """
    cls = generics.class_of(target)
    if not callable(target):
        raise ServiceRegistrationError(
            f"{generics.name_of(service)} cannot be made by {target!r}",
            hint="Register a class or a factory; a ready object with register_instance().",
        )
    if isinstance(cls, type):
        _refuse_abstract(service, cls)
        _refuse_stranger(service, cls)
    return target


def checked_instance(service: Any, instance: Any) -> Any:
    """The object, when it fits the type."""
    found = misfit(instance, service)
    if found:
        raise ServiceRegistrationError(f"the object for {generics.name_of(service)} {found}")
    return instance


def _refuse_abstract(service: Any, cls: type) -> None:
    if inspect.isabstract(cls) or getattr(cls, "_is_protocol", False):
        raise ServiceRegistrationError(
            f"{generics.name_of(cls)} is abstract and cannot serve {generics.name_of(service)}",
            hint="Name a class that implements it.",
        )


def _refuse_stranger(service: Any, cls: type) -> None:
    wanted = generics.class_of(service)
    if not isinstance(wanted, type) or wanted in cls.__mro__:
        return
    if getattr(wanted, "_is_protocol", False):
        missing = [name for name in _methods(wanted) if not hasattr(cls, name)]
    else:
        missing = [] if issubclass(cls, wanted) else ["the class among its bases"]
    if missing:
        raise ServiceRegistrationError(
            f"{generics.name_of(cls)} cannot serve {generics.name_of(service)}: "
            f"it has no {', '.join(sorted(missing))}"
        )


def _methods(protocol: type) -> set[str]:
    bases = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False)]
    named = {name: value for base in bases for name, value in vars(base).items()}
    return {name for name, value in named.items() if name[0] != "_" and callable(value)}
