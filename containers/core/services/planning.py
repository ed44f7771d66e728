"""Planning calls: every argument and every fault is known before anything is made."""

from collections.abc import Mapping, Sequence
from typing import Any

from containers.core.fitting import misfit
from containers.core.services import foreign, generics
from containers.core.services.catalog import Catalog
from containers.core.services.plans import (
    Candidate,
    Dependency,
    Facts,
    Given,
    Many,
    Named,
    One,
    Plan,
    Subject,
    target_for,
)
from containers.core.services.ports import ServiceProvider
from containers.core.services.registrations import ANY_KEY, ServiceLifetime
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
    CircularDependencyError,
    ServiceCreationError,
    ServiceNotRegisteredError,
)

#: Annotations that say nothing about the service.
_UNSAID = (NOTHING, Any)


class Planner:
    """Plans the objects of one catalog; what was found once is kept."""

    def __init__(self, catalog: Catalog, root: object = None) -> None:
        self.catalog = catalog
        self.root = root
        self._facts: dict[Candidate, Facts] = {}
        self._plans: dict[Candidate, Plan] = {}

    def plan(self, candidate: Candidate, path: tuple[str, ...] = ()) -> Plan:
        """How an object of the candidate is made.

        Raises:
            ServiceNotRegisteredError: A parameter has no service.
            ServiceCreationError: A parameter has no annotation, or the key has the wrong type.
        """
        if candidate not in self._plans:
            constructors = constructors_of(target_for(candidate))
            self._plans[candidate] = self.best(constructors, self.subject(candidate, path))
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
            else:
                found = self.argument(constructor, position, subject)
            if found is not None:
                arguments.append((parameter, found))
            elif parameter.is_positional_only:
                arguments.append((parameter, Given(parameter.default)))
        return Plan(constructor, tuple(arguments))

    def argument(
        self, constructor: Constructor, position: int, subject: Subject
    ) -> Dependency | None:
        """Where one argument comes from; None leaves it to its default."""
        parameter = constructor.parameters[position]
        if parameter.annotation in _UNSAID:
            return self._unannotated(parameter, position, subject, constructor)
        return self._annotated(parameter, subject)

    def subject(self, candidate: Candidate, path: tuple[str, ...] = ()) -> Subject:
        """For whom the call of a candidate is planned."""
        way = (*path, candidate.name)
        return Subject(candidate.name, candidate.key, _inner_of(candidate), way)

    def facts(self, candidate: Candidate, path: tuple[Named, ...] = ()) -> Facts:
        """Look at a candidate and everything it needs, before any of it is made.

        Raises:
            CircularDependencyError: It needs itself.
            CaptiveServiceError: A singleton needs a scoped service.
            ServiceNotRegisteredError: Something it needs is not registered.
        """
        if candidate in path:
            cycle = (*path[path.index(candidate) :], candidate)
            raise needs_itself([one.name for one in cycle])
        if candidate not in self._facts:
            self._facts[candidate] = self._looked_at(candidate, path)
        return self._facts[candidate]

    def nodes_of(self, provider: Any) -> tuple[Candidate, ...] | None:
        """The services a provider stands for in a declarative container; None for another."""
        ask = getattr(provider, "candidates_in", None)
        found: tuple[Candidate, ...] | None = None if ask is None else ask(self)
        return found

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

    def _looked_at(self, candidate: Candidate, path: tuple[Named, ...]) -> Facts:
        registration = candidate.registration
        if registration.is_ready or registration.is_builtin:
            changed = self.catalog.layers if registration.is_builtin else [registration.layer]
            return Facts(is_async=False, scoped=(), layers=frozenset(changed) - {None})
        if registration.provider is not None:
            return foreign.facts_of(self, candidate, path)
        plan = self.plan(candidate, tuple(one.name for one in path))
        needed = {one: self.facts(one, (*path, candidate)) for one in plan.candidates}
        return Facts(
            is_async=candidate.kind.is_async or any(one.is_async for one in needed.values()),
            scoped=_keeping(candidate, [*needed.values()]),
            layers=frozenset[Any]().union(*(one.layers for one in needed.values())),
            providers=frozenset[Any]().union(*(one.providers for one in needed.values())),
            is_traced=_asks_by_itself(candidate, plan) or _is_traced(needed),
        )


def needs_itself(path: Sequence[str]) -> CircularDependencyError:
    """The error for services that need each other."""
    hint = "Let one of them take ServiceProvider, and resolve when it is used."
    return CircularDependencyError(path, where="services", hint=hint)


def _asks_by_itself(candidate: Candidate, plan: Plan) -> bool:
    """Whether it gets the container, or is a function, which may have it, asked again and again."""
    is_transient = candidate.registration.lifetime is ServiceLifetime.TRANSIENT
    is_asking = any(one.registration.is_builtin for one in plan.candidates)
    return is_asking or (is_transient and plan.constructor.is_factory)


def _is_traced(needed: Mapping[Candidate, Facts]) -> bool:
    return any(
        facts.is_traced
        for one, facts in needed.items()
        if one.registration.lifetime is not ServiceLifetime.SINGLETON
    )


def _inner_of(candidate: Candidate) -> Candidate | None:
    """What a decorator wraps."""
    inner = candidate.registration.inner
    return None if inner is None else Candidate(inner, candidate.service, candidate.key)


def _keeping(candidate: Candidate, needed: Sequence[Facts]) -> tuple[Named, ...]:
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
    found = "" if subject.key is ANY_KEY else misfit(subject.key, wish.service)
    if found:
        raise ServiceCreationError(
            f"the key of '{subject.name}' {found}, as its parameter '{parameter.name}' asks",
            hint="Ask with a key of that type.",
        )
    return Given(subject.key)
