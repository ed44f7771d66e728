"""Planning calls: every argument and every fault is known before anything is made."""

from collections.abc import Mapping, Sequence
from typing import Any

from containers.core.fitting import misfit
from containers.core.services import generics
from containers.core.services.catalog import Catalog
from containers.core.services.plans import (
    Candidate,
    Dependency,
    Facts,
    Given,
    Many,
    One,
    Plan,
    Subject,
    kind_of,
    target_for,
)
from containers.core.services.ports import ServiceProvider
from containers.core.services.registrations import ServiceLifetime
from containers.core.services.signatures import (
    NOTHING,
    Constructor,
    Parameter,
    Wish,
    constructors_of,
    wish_of,
)
from containers.errors import (
    CaptiveServiceError,
    ServiceCreationError,
    ServiceCycleError,
    ServiceNotRegisteredError,
)

#: Annotations that say nothing about the service.
_UNSAID = (NOTHING, Any)


class Planner:
    """Plans the objects of one catalog; what was found once is kept."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._facts: dict[Candidate, Facts] = {}
        self._plans: dict[Candidate, Plan] = {}

    def plan(self, candidate: Candidate, path: tuple[str, ...] = ()) -> Plan:
        """How an object of the candidate is made.

        Raises:
            ServiceNotRegisteredError: A parameter has no service.
            ServiceCreationError: A parameter has no annotation, or the key has the wrong type.
        """
        if candidate not in self._plans:
            subject = Subject(
                candidate.name, candidate.key, _inner_of(candidate), (*path, candidate.name)
            )
            constructors = constructors_of(target_for(candidate))
            self._plans[candidate] = self.best(constructors, subject)
        return self._plans[candidate]

    def best(self, constructors: Sequence[Constructor], subject: Subject) -> Plan:
        """The call with the most arguments among those that can be made."""
        plans, failures = [], []
        for one in constructors:
            try:
                plans.append(self.call(one, subject, {}))
            except (ServiceNotRegisteredError, ServiceCreationError) as error:
                failures.append(error)
        if not plans:
            raise failures[0]
        return max(plans, key=lambda plan: len(plan.arguments))

    def call(self, constructor: Constructor, subject: Subject, given: Mapping[str, Any]) -> Plan:
        """The call of one constructor, with some arguments given."""
        wrapped = _wrapped_parameter(constructor, subject)
        arguments: list[tuple[Parameter, Dependency]] = []
        for position, parameter in enumerate(constructor.parameters):
            found: Dependency | None
            if parameter.name in given:
                found = Given(given[parameter.name])
            elif parameter is wrapped and subject.inner is not None:
                found = One(subject.inner)
            elif parameter.annotation in _UNSAID:
                found = self._unannotated(parameter, position, subject, constructor)
            else:
                found = self._annotated(parameter, subject)
            if found is not None:
                arguments.append((parameter, found))
            elif parameter.is_positional_only:
                arguments.append((parameter, Given(parameter.default)))
        return Plan(constructor, tuple(arguments))

    def facts(self, candidate: Candidate, path: tuple[Candidate, ...] = ()) -> Facts:
        """Look at a candidate and everything it needs, before any of it is made.

        Raises:
            ServiceCycleError: It needs itself.
            CaptiveServiceError: A singleton needs a scoped service.
            ServiceNotRegisteredError: Something it needs is not registered.
        """
        if candidate in path:
            cycle = (*path[path.index(candidate) :], candidate)
            raise ServiceCycleError([one.name for one in cycle])
        if candidate not in self._facts:
            self._facts[candidate] = self._looked_at(candidate, path)
        return self._facts[candidate]

    def _unannotated(
        self, parameter: Parameter, position: int, subject: Subject, constructor: Constructor
    ) -> Dependency | None:
        """A factory may leave its first two unsaid: the provider that asks, and the key."""
        if constructor.is_factory and parameter.is_required and position == 0:
            return self.catalog.dependency(Wish(ServiceProvider))
        if constructor.is_factory and parameter.is_required and position == 1:
            return Given(subject.key)
        if not parameter.is_required:
            return None
        raise ServiceCreationError(
            f"'{subject.name}' cannot be built: parameter '{parameter.name}' names no service",
            hint="Annotate it with the service it takes, or give it a default.",
        )

    def _annotated(self, parameter: Parameter, subject: Subject) -> Dependency | None:
        wish = wish_of(parameter.annotation)
        if wish.is_key:
            return _key_for(parameter, wish, subject)
        found = self.catalog.dependency(wish)
        is_empty = isinstance(found, Many) and not found.candidates
        if found is not None and (parameter.is_required or not is_empty):
            return found
        if not parameter.is_required:
            return None
        if wish.is_optional:
            return Given(None)
        raise self.catalog.not_registered(wish, subject, parameter.name)

    def _looked_at(self, candidate: Candidate, path: tuple[Candidate, ...]) -> Facts:
        registration = candidate.registration
        if registration.is_ready or registration.is_builtin:
            changed = self.catalog.layers if registration.is_builtin else [registration.layer]
            return Facts(is_async=False, scoped=(), layers=frozenset(changed) - {None})
        plan = self.plan(candidate, tuple(one.name for one in path))
        needed = [self.facts(one, (*path, candidate)) for one in plan.candidates]
        return Facts(
            is_async=kind_of(candidate).is_async or any(one.is_async for one in needed),
            scoped=_keeping(candidate, needed),
            layers=frozenset[Any]().union(*(one.layers for one in needed)),
        )


def _inner_of(candidate: Candidate) -> Candidate | None:
    """What a decorator wraps."""
    inner = candidate.registration.inner
    return None if inner is None else Candidate(inner, candidate.service, candidate.key)


def _keeping(candidate: Candidate, needed: Sequence[Facts]) -> tuple[Candidate, ...]:
    """The way to the scoped service that is kept; a singleton must keep none."""
    lifetime = candidate.registration.lifetime
    if lifetime is ServiceLifetime.SCOPED:
        return (candidate,)
    way = next(((candidate, *one.scoped) for one in needed if one.scoped), ())
    if way and lifetime is ServiceLifetime.SINGLETON:
        raise CaptiveServiceError([one.name for one in way], keeper=candidate.name)
    return way


def _wrapped_parameter(constructor: Constructor, subject: Subject) -> Parameter | None:
    """Where a decorator takes what it wraps: the parameter of that type, else the first one."""
    if subject.inner is None:
        return None
    service = generics.class_of(subject.inner.service)
    for parameter in constructor.parameters:
        if generics.class_of(wish_of(parameter.annotation).service) is service:
            return parameter
    return next(iter(constructor.parameters), None)


def _key_for(parameter: Parameter, wish: Wish, subject: Subject) -> Dependency | None:
    if subject.key is None and (wish.is_optional or not parameter.is_required):
        return Given(None) if parameter.is_required else None
    found = misfit(subject.key, wish.service)
    if found:
        raise ServiceCreationError(
            f"the key of '{subject.name}' {found}, as its parameter '{parameter.name}' asks",
            hint="Ask with a key of that type.",
        )
    return Given(subject.key)
