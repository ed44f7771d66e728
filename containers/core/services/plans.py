"""The shape of a resolution: what is wanted, what makes it, and with which arguments."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import RLock
from typing import Any, Protocol

from containers.core.services import generics
from containers.core.services.registrations import ServiceDescriptor
from containers.core.services.signatures import Constructor, Parameter
from containers.core.targets import Target, target_of


class Named(Protocol):
    """A step of a path."""

    @property
    def name(self) -> str:
        """How the step is called."""


class Candidate:
    """A registration for one closed type and one key; each has objects of its own."""

    __slots__ = ("_hash", "_kind", "_must_await", "_name", "key", "registration", "service")

    def __init__(self, registration: ServiceDescriptor, service: Any, key: Hashable = None) -> None:
        self.registration = registration
        self.service = service
        self.key = key
        self._hash = hash((registration, service, key))
        self._kind: Target | None = None
        self._must_await = False
        self._name = ""

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Candidate)
            and self.registration is other.registration
            and bool(self.service == other.service)
            and bool(self.key == other.key)
        )

    @property
    def name(self) -> str:
        """The service, with its key."""
        if not self._name:
            self._name = named(self.service, self.key)
        return self._name

    @property
    def must_await(self) -> bool:
        """Whether its object comes out of the call by awaiting."""
        return self.kind is not Target.VALUE and self._must_await

    @property
    def kind(self) -> Target:
        """How the object comes out of the call; an object of a class is made, never entered."""
        if self._kind is None:
            kind = _kind_of(self.registration.target)
            self._must_await = kind.is_async
            self._kind = kind
        return self._kind


class Cell:
    """Where a candidate's object is kept, under the overrides that change it.

    Attributes:
        lock: Held while the container's object is made.
    """

    __slots__ = ("candidate", "lock")

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.lock = RLock()


@dataclass(frozen=True, slots=True)
class Given:
    """A value that is known."""

    value: Any


@dataclass(frozen=True, slots=True)
class One:
    """The object of a candidate."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Many:
    """A list of the objects of candidates."""

    candidates: tuple[Candidate, ...]


Dependency = Given | One | Many


@dataclass(frozen=True, slots=True)
class Plan:
    """A call: what is called, and where each argument comes from."""

    constructor: Constructor
    arguments: tuple[tuple[Parameter, Dependency], ...]

    @property
    def candidates(self) -> Iterator[Candidate]:
        """What must be made before."""
        for _, dependency in self.arguments:
            yield from candidates_of(dependency)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a candidate and all it needs.

    Attributes:
        is_async: Whether making it must be awaited somewhere.
        scoped: The way to the nearest scoped service that it would keep; empty when it keeps none.
        layers: The overrides that change it.
        providers: Providers of declarative containers that it comes to ask.
        is_traced: Whether its making is noted, so that a factory's own asking is told with a path.
    """

    is_async: bool = False
    scoped: tuple[Named, ...] = ()
    layers: frozenset[Any] = frozenset()
    providers: frozenset[Any] = frozenset()
    is_traced: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """For what a call is planned: it appears in errors, and its key and inner object are known."""

    name: str
    key: Hashable = None
    inner: Candidate | None = None
    path: tuple[str, ...] = ()


def candidates_of(dependency: Dependency | None) -> tuple[Candidate, ...]:
    """What must be made for an argument."""
    if isinstance(dependency, One):
        return (dependency.candidate,)
    return dependency.candidates if isinstance(dependency, Many) else ()


def target_for(candidate: Candidate) -> Any:
    """What is called; for an open generic, its closed form."""
    registration = candidate.registration
    if not registration.is_open:
        return registration.target
    return generics.closed_target(registration.target, registration.service, candidate.service)


def _kind_of(target: Any) -> Target:
    while isinstance(target, partial):
        target = target.func
    is_class = isinstance(generics.class_of(target), type)
    return Target.VALUE if is_class else target_of(target)


def named(service: Any, key: Hashable) -> str:
    """The name of a service, with its key."""
    name = generics.name_of(service)
    return name if key is None else f"{name}[key={key!r}]"
