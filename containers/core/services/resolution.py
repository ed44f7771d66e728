"""Resolutions that await: one body for callers that can and for those that cannot."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from containers.core.services.compiling import Compiler
from containers.core.services.ends import entered, must_await, refuse_coroutine
from containers.core.services.keeping import Store
from containers.core.services.making import (
    afinished,
    making,
    outside,
    placed,
    refuse_cycle,
)
from containers.core.services.plans import Candidate, Dependency, Facts, Given, One, Plan
from containers.core.services.registrations import ServiceLifetime
from containers.core.targets import Target
from containers.errors import ServiceCreationError

if TYPE_CHECKING:
    from containers.core.services.providers import ResolvingProvider

T = TypeVar("T")


def driven(work: Coroutine[Any, Any, T]) -> T:
    """The result of a resolution that awaits nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("a resolution awaited in a plain call")


@dataclass(frozen=True, slots=True)
class Resolution:
    """One call of `aresolve`, or of `resolve` for what may be there already."""

    root: "ResolvingProvider"
    compiler: Compiler
    awaits: bool

    async def value(self, dependency: Dependency, asker: "ResolvingProvider") -> Any:
        """The value of an argument, made on behalf of a provider."""
        if isinstance(dependency, Given):
            return dependency.value
        if isinstance(dependency, One):
            return await self.object(dependency.candidate, asker)
        return [await self.object(one, asker) for one in dependency.candidates]

    async def object(self, candidate: Candidate, asker: "ResolvingProvider") -> Any:
        """The candidate's object: kept where its lifetime says, or made anew."""
        facts = self.compiler.planner.facts(candidate)
        if not facts.is_async:
            return self.compiler.of(candidate)(asker)
        if facts.scoped and asker is self.root:
            raise outside(facts)
        registration = candidate.registration
        if registration.provider is not None:
            if not self.awaits:
                raise self._must_await(candidate)
            return await asker.afrom_provider(candidate, facts)
        if registration.lifetime is ServiceLifetime.TRANSIENT:
            refuse_cycle(candidate, asker.store)
            return await self.made(candidate, asker, asker.store)
        if registration.lifetime is ServiceLifetime.SCOPED:
            return await self.scoped(candidate, asker, facts)
        return await self.singleton(candidate, facts)

    async def scoped(self, candidate: Candidate, asker: "ResolvingProvider", facts: Facts) -> Any:
        """The scope's object. Who asks first makes it, so that one task opens and ends it."""
        place = placed(candidate, facts, asker, ())
        if place.cell not in place.keeper.objects:
            refuse_cycle(candidate, place.store)
        make = partial(self.made, candidate, asker, place.store)
        return await place.keeper.kept(place.cell, candidate, make, awaits=self.awaits)

    async def singleton(self, candidate: Candidate, facts: Facts) -> Any:
        """The container's object, made in a task of its own, so that no caller can cancel it."""
        place = placed(candidate, facts, self.root, self.compiler.planner.catalog.layers)
        make = partial(self.made, candidate, self.root, place.store)
        kept = partial(place.keeper.kept, place.cell, candidate, make, awaits=self.awaits)
        if place.cell in place.keeper.objects:
            return place.keeper.objects[place.cell]
        refuse_cycle(candidate, place.store)
        return await (place.keeper.flight.do(place.cell, kept) if self.awaits else kept())

    async def made(self, candidate: Candidate, asker: "ResolvingProvider", store: Store) -> Any:
        """A new object, and its ending noted in the store."""
        store.check_open()
        token = making.set((*making.get(), (candidate, store)))
        try:
            self._check_kind(candidate, store)
            return await self._made(candidate, asker, store)
        finally:
            making.reset(token)

    async def called(self, plan: Plan, asker: "ResolvingProvider") -> Any:
        """Call what a plan calls."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter, dependency in plan.arguments:
            value = await self.value(dependency, asker)
            if parameter.is_positional_only:
                positional.append(value)
            else:
                named[parameter.name] = value
        return plan.constructor.call(*positional, **named)

    async def _made(self, candidate: Candidate, asker: "ResolvingProvider", store: Store) -> Any:
        kind = candidate.kind
        made = await self.called(self.compiler.planner.plan(candidate), asker)
        if kind is Target.VALUE:
            refuse_coroutine(candidate, made)
        value, ending = await entered(candidate, kind, made)
        return await afinished(ending, value, asker, store, awaits=self.awaits)

    def _check_kind(self, candidate: Candidate, store: Store) -> None:
        """Refuse what this call, or the end of the store, would have to await."""
        if not candidate.must_await:
            return
        if not self.awaits:
            raise self._must_await()
        if candidate.kind is not Target.COROUTINE and store.is_plain:
            raise ServiceCreationError(
                f"'{candidate.name}' ends by awaiting, and its {store.name} was opened by a "
                "plain `with`",
                hint="Open it by `async with`.",
            )

    def _must_await(self, *last: Candidate) -> ServiceCreationError:
        path: Sequence[Candidate] = [*(one for one, _ in making.get()), *last]
        return must_await(path)
