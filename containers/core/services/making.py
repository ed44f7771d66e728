"""Making one object: where it is kept, what is noted while it is made, and how it ends."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from containers.core import layers
from containers.core.services.ends import Ending, entered_plain, refuse_coroutine
from containers.core.services.keeping import Store
from containers.core.services.planning import needs_itself
from containers.core.services.plans import Candidate, Facts
from containers.core.services.registrations import ServiceLifetime
from containers.core.targets import Target
from containers.errors import CaptiveServiceError

if TYPE_CHECKING:
    from containers.core.services.container import DIContainer

#: Gives an object to the provider that asks.
Getter = Callable[[Any], Any]
#: Makes an object for the provider that asks; its ending goes to the store.
Maker = Callable[[Any, Store], Any]

#: What is being made by the current call, outermost first, each with the store that asks.
making: ContextVar[tuple[tuple[Candidate, Store], ...]] = ContextVar("making", default=())


@dataclass(frozen=True, slots=True)
class Place:
    """Where one object is kept.

    Attributes:
        keeper: The store whose objects it is among.
        cell: Its place there.
        store: The store that it ends with.
        lock: Held while a plain call makes it.
    """

    keeper: Store
    cell: Any
    store: Store
    lock: Any


def placed(candidate: Candidate, facts: Facts, asker: Any, overrides: tuple[Any, ...]) -> Place:
    """The place of an object, under all overrides that change it.

    Overrides of this container are in the facts; those of declarative containers are asked for
    now. What is made under one of these is kept in its layer, and ends with this container.
    """
    root: DIContainer = asker.root
    cell = root.cell(candidate, facts.layers)
    touching = touched(facts)
    key = (cell, touching) if touching else cell
    if candidate.registration.lifetime is ServiceLifetime.SCOPED:
        return Place(asker.store, key, asker.store, asker.store.lock)
    changing = [layer for layer in overrides if layer in facts.layers]
    keeper: Store = changing[-1].store if changing else root.store
    store: Store = getattr(changing[-1], "ends_in", keeper) if changing else keeper
    if touching:
        keeper = _keeper(root, touching[-1])
    return Place(keeper, key, store, cell.lock)


def _keeper(root: "DIContainer", layer: Any) -> Store:
    """The objects made under an override of a declarative container; they go with it."""
    kept: Store = layer.cells.setdefault((root, "services"), Store("override"))
    return kept


def touched(facts: Facts) -> tuple[Any, ...]:
    """The overrides of declarative containers that change it now."""
    active = layers.active() if facts.providers else ()
    return tuple(
        one for one in active if any(_is_touched(one, provider) for provider in facts.providers)
    )


def _is_touched(layer: Any, provider: Any) -> bool:
    return provider in layer.replacements or layer.touches(provider)


def traced(candidate: Candidate, kind: Target, call: Getter) -> Maker:
    """A maker that notes what it makes, so that a circle through factories is told."""

    def make(asker: Any, store: Store) -> Any:
        refuse_cycle(candidate, store)
        token = making.set((*making.get(), (candidate, store)))
        try:
            return finished(candidate, kind, call(asker), asker, store)
        finally:
            making.reset(token)

    return make


def plain(candidate: Candidate, kind: Target, call: Getter) -> Maker:
    """A maker of what asks nobody by itself."""

    def make(asker: Any, store: Store) -> Any:
        return finished(candidate, kind, call(asker), asker, store)

    return make


def finished(candidate: Candidate, kind: Target, made: Any, asker: Any, store: Store) -> Any:
    """The object that was meant, its ending noted."""
    if kind is Target.VALUE:
        refuse_coroutine(candidate, made)
    value, ending = entered_plain(candidate, kind, made)
    if ending is not None and is_ours(value, asker, store):
        store.ends(ending, value)
    return value


async def afinished(
    ending: Ending | None, value: Any, asker: Any, store: Store, *, awaits: bool
) -> Any:
    """The same for an object that came out of `entered`."""
    if ending is None or not is_ours(value, asker, store):
        return value
    if awaits:
        await store.aends(ending, value)
    else:
        store.ends(ending, value)
    return value


def is_ours(value: Any, asker: Any, store: Store) -> bool:
    """Whether the object is new, and neither the asker nor ended by somebody already."""
    root = asker.root
    if id(value) in root.instances or value is asker or value is root:
        return False
    return not (store.knows(value) or root.store.knows(value))


def refuse_cycle(candidate: Candidate, store: Store) -> None:
    """Factories may ask for what is being made; no plan tells that before."""
    found = making.get()
    if (candidate, store) in found:
        since = found[found.index((candidate, store)) :]
        raise needs_itself([*(one.name for one, _ in since), candidate.name])


def outside(facts: Facts) -> CaptiveServiceError:
    """The error for a scoped service asked of the container, by a singleton's factory or not."""
    names = [one.name for one in facts.scoped]
    makers = [one for one, _ in making.get()]
    keepers = [one for one in makers if one.registration.lifetime is ServiceLifetime.SINGLETON]
    if not keepers:
        return CaptiveServiceError(names)
    way = [one.name for one in makers[makers.index(keepers[-1]) :]]
    return CaptiveServiceError([*way, *names], keeper=keepers[-1].name)
