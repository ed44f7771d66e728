"""The shape of a resolution: what is wanted, what makes it, and with which arguments."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from containers.core.services import generics
from containers.core.services.registrations import Registration
from containers.core.services.signatures import Constructor, Parameter
from containers.core.targets import Target, target_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registration for one closed type and one key; each has objects of its own."""

    registration: Registration
    service: Any
    key: Hashable = None

    @property
    def name(self) -> str:
        """The service, with its key."""
        return named(self.service, self.key)


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
            if isinstance(dependency, One):
                yield dependency.candidate
            elif isinstance(dependency, Many):
                yield from dependency.candidates


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a candidate and all it needs.

    Attributes:
        is_async: Whether making it must be awaited somewhere.
        scoped: The way to the nearest scoped service that it would keep; empty when it keeps none.
        layers: The overrides that change it.
    """

    is_async: bool
    scoped: tuple[Candidate, ...]
    layers: frozenset[Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """For what a call is planned: it appears in errors, and its key and inner object are known."""

    name: str
    key: Hashable = None
    inner: Candidate | None = None
    path: tuple[str, ...] = ()


def target_for(candidate: Candidate) -> Any:
    """What is called; for an open generic, its closed form."""
    registration = candidate.registration
    if not registration.is_open:
        return registration.target
    return generics.closed_target(registration.target, registration.service, candidate.service)


def kind_of(candidate: Candidate) -> Target:
    """How the object comes out of the call; an object of a class is made, never entered."""
    target = candidate.registration.target
    while isinstance(target, partial):
        target = target.func
    is_class = isinstance(generics.class_of(target), type)
    return Target.VALUE if is_class else target_of(target)


def named(service: Any, key: Hashable) -> str:
    """The name of a service, with its key."""
    name = generics.name_of(service)
    return name if key is None else f"{name}[key={key!r}]"
