"""Looking at all registrations at once: every fault, before anything is made."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from containers.core.services.foreign import services_behind
from containers.core.services.planning import needs_itself
from containers.core.services.plans import Candidate, Named, candidates_of, target_for
from containers.core.services.registrations import ServiceLifetime
from containers.core.services.signatures import constructors_of
from containers.core.validation import Problem
from containers.errors import (
    CaptiveServiceError,
    ContainerError,
    ServiceCreationError,
    ServiceNotRegisteredError,
)

if TYPE_CHECKING:
    from containers.core.services.planning import Planner


def problems_of(planner: "Planner") -> Iterator[Problem]:
    """Everything that is wrong; an open generic is looked at in the forms that are asked for."""
    inspection = _Inspection(planner)
    registrations = [one for one in planner.catalog.registrations if not one.is_builtin]
    found = [Candidate(one, one.service, one.key) for one in registrations if not one.is_open]
    for candidate in found:
        yield from inspection.arguments(candidate, ())
    for candidate in tuple(inspection.seen):
        yield from inspection.circles(candidate, [])
    for candidate in tuple(inspection.seen):
        yield from inspection.captives(candidate)


class _Inspection:
    """One look; each candidate is looked at once.

    Attributes:
        seen: Every candidate that was met, with what it needs.
    """

    def __init__(self, planner: "Planner") -> None:
        self._planner = planner
        self.seen: dict[Candidate, tuple[Candidate, ...]] = {}
        self._done: set[Candidate] = set()

    def arguments(self, candidate: Candidate, above: tuple[str, ...]) -> Iterator[Problem]:
        """Every argument that nothing gives, of a candidate and of what it needs."""
        registration = candidate.registration
        if candidate in self.seen or registration.is_builtin:
            return
        self.seen[candidate] = ()
        way = (*above, candidate.name)
        if registration.provider is not None:
            self.seen[candidate] = services_behind(self._planner, registration.provider)
        elif not registration.is_ready:
            try:
                self.seen[candidate] = tuple(self._planner.plan(candidate, above).candidates)
            except (ServiceNotRegisteredError, ServiceCreationError) as error:
                yield from self._each_argument(candidate, above, error)
        for other in self.seen[candidate]:
            yield from self.arguments(other, way)

    def circles(self, candidate: Candidate, above: list[Candidate]) -> Iterator[Problem]:
        """Each way by which a candidate comes to need itself."""
        if candidate in above:
            names = [one.name for one in (*above[above.index(candidate) :], candidate)]
            yield _problem("cycle", names, needs_itself(names))
        elif candidate not in self._done:
            above.append(candidate)
            for other in self.seen.get(candidate, ()):
                yield from self.circles(other, above)
            above.pop()
            self._done.add(candidate)

    def captives(self, candidate: Candidate) -> Iterator[Problem]:
        """Each scoped service that a singleton would keep."""
        is_foreign = candidate.registration.provider is not None
        if candidate.registration.lifetime is not ServiceLifetime.SINGLETON or is_foreign:
            return
        for way in self._ways(candidate, (candidate,)):
            names = [one.name for one in way]
            error = CaptiveServiceError(names, keeper=candidate.name)
            yield _problem("captive", names, error)

    def _ways(
        self, candidate: Candidate, above: tuple[Candidate, ...]
    ) -> Iterator[tuple[Named, ...]]:
        for other in self.seen.get(candidate, ()):
            lifetime = other.registration.lifetime
            if lifetime is ServiceLifetime.SCOPED:
                yield (*above, other)
            elif lifetime is ServiceLifetime.TRANSIENT and other not in above:
                if other.registration.provider is None:
                    yield from self._ways(other, (*above, other))
                elif way := self._behind(other):
                    yield (*above, *way)

    def _behind(self, candidate: Candidate) -> tuple[Named, ...]:
        """The way to what is scoped behind a provider; a circle there is told already."""
        try:
            return self._planner.facts(candidate).scoped
        except ContainerError:
            return ()

    def _each_argument(
        self, candidate: Candidate, above: tuple[str, ...], first: ContainerError
    ) -> Iterator[Problem]:
        """What is wrong with each one; of several constructors, with those of the first."""
        way = (*above, candidate.name)
        try:
            constructor = constructors_of(target_for(candidate))[0]
        except ServiceCreationError:
            yield _problem("missing-argument", way, first)
            return
        subject = self._planner.subject(candidate, above)
        needed: list[Candidate] = []
        for position, _ in enumerate(constructor.parameters):
            try:
                found = self._planner.argument(constructor, position, subject)
            except ServiceNotRegisteredError as error:
                yield _problem("missing-argument", error.path, error)
            except ServiceCreationError as error:
                yield _problem("missing-argument", way, error)
            else:
                needed += candidates_of(found)
        self.seen[candidate] = tuple(needed)


def _problem(code: str, path: Sequence[str], error: ContainerError) -> Problem:
    """The error's own words, without its place."""
    return Problem(code, tuple(path), str(error).removeprefix(f"{error.where}: "))
