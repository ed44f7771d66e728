"""Making objects: one body for plain and awaiting callers."""

from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from containers.core.services.keeping import Store, entered, must_await, refuse_coroutine
from containers.core.services.planning import Planner
from containers.core.services.plans import Candidate, Dependency, Facts, Given, One, Plan, kind_of
from containers.core.services.registrations import ServiceLifetime
from containers.core.targets import Target
from containers.errors import CaptiveServiceError, ServiceCreationError, ServiceCycleError

if TYPE_CHECKING:
    from containers.core.services.providers import ResolvingProvider

T = TypeVar("T")

#: What is being made by the current call, outermost first, each with the store that asks.
_making: ContextVar[tuple[tuple[Candidate, Store], ...]] = ContextVar("making", default=())


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
    """One call of `resolve` or `aresolve`."""

    root: "ResolvingProvider"
    planner: Planner
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
        registration = candidate.registration
        if registration.is_ready:
            return registration.target
        if registration.is_builtin:
            return registration.target(self.root, asker)
        facts = self.planner.facts(candidate)
        if facts.scoped and asker is self.root:
            raise _outside(facts)
        resolution = self if facts.is_async or not self.awaits else replace(self, awaits=False)
        if registration.lifetime is ServiceLifetime.TRANSIENT:
            _refuse_cycle(candidate, asker.store)
            return await resolution.made(candidate, asker, asker.store)
        if registration.lifetime is ServiceLifetime.SCOPED:
            return await resolution.scoped(candidate, asker, facts)
        return await resolution.singleton(candidate, facts)

    async def scoped(self, candidate: Candidate, asker: "ResolvingProvider", facts: Facts) -> Any:
        """The scope's object. Who asks first makes it, so that one task opens and ends it."""
        store, cell = asker.store, (candidate, facts.layers)
        if cell not in store.objects:
            _refuse_cycle(candidate, store)
        make = partial(self.made, candidate, asker, store)
        return await store.kept(cell, make, awaits=self.awaits)

    async def singleton(self, candidate: Candidate, facts: Facts) -> Any:
        """The container's object, made in a task of its own, so that no caller can cancel it."""
        touching = [layer for layer in self.planner.catalog.layers if layer in facts.layers]
        store: Store = touching[-1].store if touching else self.root.store
        cell = (candidate, facts.layers)
        make = partial(self.made, candidate, self.root, store)
        kept = partial(store.kept, cell, make, awaits=self.awaits)
        if cell in store.objects:
            return await kept()
        _refuse_cycle(candidate, store)
        return await (store.flight.do(cell, kept) if self.awaits else kept())

    async def made(self, candidate: Candidate, asker: "ResolvingProvider", store: Store) -> Any:
        """A new object, and its ending noted in the store."""
        store.check_open()
        making = (*_making.get(), (candidate, store))
        self._check_kind(kind_of(candidate), making)
        token = _making.set(making)
        try:
            return await self._made(candidate, asker, store)
        finally:
            _making.reset(token)

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
        kind = kind_of(candidate)
        made = await self.called(self.planner.plan(candidate), asker)
        if kind is Target.VALUE:
            refuse_coroutine(candidate, made)
        value, ending = await entered(candidate, kind, made)
        if ending is not None and not store.knows(value) and not self.root.store.knows(value):
            await store.ends(ending, value, awaits=self.awaits)
        return value

    def _check_kind(self, kind: Target, making: Sequence[tuple[Candidate, Store]]) -> None:
        """Refuse what this call, or the end of the store, would have to await."""
        candidate, store = making[-1]
        if kind.is_async and not self.awaits:
            raise must_await([one for one, _ in making])
        if kind.is_async and kind is not Target.COROUTINE and store.is_plain:
            raise ServiceCreationError(
                f"'{candidate.name}' ends by awaiting, and its {store.name} was opened by a "
                "plain `with`",
                hint="Open it by `async with`.",
            )


def _refuse_cycle(candidate: Candidate, store: Store) -> None:
    """Factories may ask for what is being made; no plan tells that before."""
    making = _making.get()
    if (candidate, store) in making:
        since = making[making.index((candidate, store)) :]
        raise ServiceCycleError([*(one.name for one, _ in since), candidate.name])


def _outside(facts: Facts) -> CaptiveServiceError:
    """The error for a scoped service asked of the container, by a singleton's factory or not."""
    names = [one.name for one in facts.scoped]
    makers = [one for one, _ in _making.get()]
    keepers = [one for one in makers if one.registration.lifetime is ServiceLifetime.SINGLETON]
    if not keepers:
        return CaptiveServiceError(names)
    way = [one.name for one in makers[makers.index(keepers[-1]) :]]
    return CaptiveServiceError([*way, *names], keeper=keepers[-1].name)
