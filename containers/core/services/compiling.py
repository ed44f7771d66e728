"""Resolutions that await nothing, as functions: a plan is known, so its calls are written out."""

from typing import TYPE_CHECKING, Any, cast

from containers.core.services.ends import ending_of, ways_to_end
from containers.core.services.making import Getter, Maker, Place, outside, placed, plain, traced
from containers.core.services.plans import (
    Candidate,
    Facts,
    Many,
    candidates_of,
)
from containers.core.services.registrations import ServiceLifetime
from containers.core.services.writing import MISSING, Writer, plain_class

if TYPE_CHECKING:
    from containers.core.services.container import DIContainer
    from containers.core.services.keeping import Store
    from containers.core.services.planning import Planner


class Compiler:
    """The functions of one planner.

    Attributes:
        getters: What gives the object of a service, by type, or by type and key; filled by who
            asks first.
        awaited: What cannot be had so.
    """

    def __init__(self, root: "DIContainer", planner: "Planner") -> None:
        self.root = root
        self.planner = planner
        self.getters: dict[Any, Getter] = {}
        self.awaited: set[Any] = set()
        self._getters: dict[Candidate, Getter] = {}
        self._makers: dict[Candidate, Maker] = {}
        self._keepers: dict[Candidate, Maker] = {}
        self._bare: set[Candidate] = set()

    def getter(self, service: Any, key: Any) -> Getter | None:
        """What gives the object of a service; None where something must be awaited.

        Raises:
            ServiceNotRegisteredError: Nothing serves it.
        """
        found = self.planner.catalog.asked(service, key)
        wanted = service if key is None else (service, key)
        if wanted in self.awaited or wanted in self.getters:
            return self.getters.get(wanted)
        candidates = candidates_of(found)
        if any(self.planner.facts(one).is_async for one in candidates):
            self.awaited.add(wanted)
            return None
        made = self._list(candidates) if isinstance(found, Many) else self.of(candidates[0])
        self.getters[wanted] = made
        return made

    def of(self, candidate: Candidate) -> Getter:
        """What gives the object of a candidate: kept where its lifetime says, or made anew."""
        getter = self._getters.get(candidate)
        if getter is None:
            getter = self._getters[candidate] = self._getter(candidate)
        return getter

    def _getter(self, candidate: Candidate) -> Getter:
        registration = candidate.registration
        if registration.is_ready:
            return lambda _asker: registration.target
        if registration.is_builtin:
            return lambda asker: registration.target(self.root, asker)
        facts = self.planner.facts(candidate)
        if registration.provider is not None:
            return lambda asker: asker.from_provider(candidate, facts)
        if registration.lifetime is ServiceLifetime.SINGLETON:
            return self._singleton(candidate, facts)
        if registration.lifetime is ServiceLifetime.SCOPED:
            return self._scoped(candidate, facts)
        return self._transient(candidate, facts)

    def _singleton(self, candidate: Candidate, facts: Facts) -> Getter:
        root, make, overrides = self.root, self._maker(candidate), self.planner.catalog.layers

        def made(place: Place) -> Any:
            objects, cell = place.keeper.objects, place.cell
            with place.lock:
                if cell not in objects:
                    place.store.check_open()
                    objects[cell] = make(root, place.store)
                return objects[cell]

        if facts.providers:
            return lambda _asker: made(placed(candidate, facts, root, overrides))
        place = placed(candidate, facts, root, overrides)
        objects, cell = place.keeper.objects, place.cell

        def get(_asker: Any) -> Any:
            try:
                return objects[cell]
            except KeyError:
                return made(place)

        return get

    def _scoped(self, candidate: Candidate, facts: Facts) -> Getter:
        root = self.root
        if facts.providers:
            return self._scoped_with_providers(candidate, facts)
        cell, keep = root.cell(candidate, facts.layers), self.keeper(candidate, facts)

        def get(asker: Any) -> Any:
            store = asker.store
            found = store.objects.get(cell, MISSING)
            if found is not MISSING:
                return found
            if asker is root:
                raise outside(facts)
            with store.lock:
                found = store.objects.get(cell, MISSING)
                if found is MISSING:
                    store.check_open()
                    found = keep(asker, store)
            return found

        return get

    def _scoped_with_providers(self, candidate: Candidate, facts: Facts) -> Getter:
        root, make = self.root, self._maker(candidate)

        def get(asker: Any) -> Any:
            if asker is root:
                raise outside(facts)
            store, cell = asker.store, placed(candidate, facts, asker, ()).cell
            with store.lock:
                if cell not in store.objects:
                    store.check_open()
                    store.objects[cell] = make(asker, store)
                return store.objects[cell]

        return get

    def keeper(self, candidate: Candidate, facts: Facts) -> Maker:
        """Makes a scope's object and keeps it; called with the scope's lock held."""
        keep = self._keepers.get(candidate)
        if keep is None:
            cell, make = self.root.cell(candidate, facts.layers), self._maker(candidate)
            if candidate in self._bare:
                keep = Writer(self, candidate.name).written(self.planner.plan(candidate), cell)
            else:
                keep = _keeping(make, cell)
            self._keepers[candidate] = keep
        return keep

    def _transient(self, candidate: Candidate, facts: Facts) -> Getter:
        root, make = self.root, self._maker(candidate)

        def get(asker: Any) -> Any:
            store = asker.store
            store.check_open()
            if not facts.scoped:
                return make(asker, store)
            if asker is root:
                raise outside(facts)
            with store.lock:
                return make(asker, store)

        if facts.scoped or candidate not in self._bare:
            return get
        return cast("Getter", make)  # it looks at no store

    def _list(self, candidates: Any) -> Getter:
        getters = [self.of(one) for one in candidates]
        return lambda asker: [get(asker) for get in getters]

    def _maker(self, candidate: Candidate) -> Maker:
        """What makes an object of a candidate, for whoever keeps it."""
        maker = self._makers.get(candidate)
        if maker is None:
            maker = self._makers[candidate] = self._new_maker(candidate)
        return maker

    def _new_maker(self, candidate: Candidate) -> Maker:
        facts, plan = self.planner.facts(candidate), self.planner.plan(candidate)
        kind = candidate.kind
        writer = Writer(self, candidate.name)
        call = writer.written(plan)
        is_kept = candidate.registration.lifetime is ServiceLifetime.SINGLETON
        if facts.is_traced or is_kept:
            return traced(candidate, kind, call)
        cls = plain_class(plan)
        if cls is None:
            return plain(candidate, kind, call)
        if ways_to_end(cls) is None:
            self._bare.add(candidate)
            return cast("Maker", call)
        return _noting(candidate, call)


def _keeping(make: Maker, cell: Any) -> Maker:
    def keep(asker: Any, store: "Store") -> Any:
        made = store.objects[cell] = make(asker, store)
        return made

    return keep


def _noting(candidate: Candidate, call: Any) -> Maker:
    def make(asker: Any, store: "Store") -> Any:
        value = call(asker)
        ending = ending_of(candidate, value)
        if ending is not None:
            store.ends(ending, value)
        return value

    return make
