"""What a container starts, and in which order."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dependency_injector import providers as di

from containers.core import graph, layers
from containers.core.bounds import Bounded
from containers.core.providers import Managed

Provider = di.Provider[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One provider to start.

    Attributes:
        path: Its dotted path.
        phase: When its turn is: its own phase, or the lowest one of what needs it.
        needs: The other providers to start that it is made of, however far away.
    """

    provider: Provider
    path: str
    phase: int
    needs: frozenset[Provider]


def agenda(container: Any) -> list[list[Step]]:
    """The steps by ascending phase; inside a phase what is needed stands before what needs it."""
    things = _to_start(container)
    needed = {
        one: frozenset(_closure((one,), _outliving) & things.keys() - {one}) for one in things
    }
    phases = {one: _phase_of(one) for one in things}
    for one, others in needed.items():
        for other in others:
            phases[other] = min(phases[other], _phase_of(one))
    levels: defaultdict[int, list[Step]] = defaultdict(list)
    for one in sorted(things, key=lambda provider: len(needed[provider])):
        levels[phases[one]].append(Step(one, things[one], phases[one], needed[one]))
    return [levels[phase] for phase in sorted(levels)]


def needs(provider: Provider) -> tuple[Provider, ...]:
    """What a call of the provider calls now: what stands in for it, else its dependencies."""
    stand_in = layers.stand_in_of(provider)
    if stand_in is not None:
        return (stand_in,)
    if isinstance(provider, (di.Container, di.Self)):
        return ()
    if isinstance(provider, di.Selector):
        return _chosen(provider)
    return graph.dependencies(provider)


def reached(*providers: Provider) -> set[Provider]:
    """What calls of the providers call, however far away."""
    return _closure(providers, needs)


def initialized(container: Any) -> list[di.BaseResource[Any]]:
    """The resources that have begun, dependants first; also those the container would not start."""
    names = graph.paths(container)
    inside = [*names, *_closure(names, _own_needs)]
    resources = [one for one in dict.fromkeys(inside) if isinstance(one, di.BaseResource)]
    begun = [one for one in resources if is_resource(one) and one.initialized]
    return sorted(begun, key=lambda one: len(reached(one)), reverse=True)


def made_of(container: Any, resources: Iterable[Provider]) -> list[di.BaseSingleton[Any]]:
    """The singletons of the container that hold what one of the resources gave."""
    names = graph.paths(container)
    inside = dict.fromkeys([*names, *_closure(names, _own_needs)])
    holding = _resting_on(resources, [*inside, *reached(*inside)])
    return [one for one in inside if isinstance(one, di.BaseSingleton) and one in holding]


def name_of(provider: Any) -> str:
    """What to call a provider that has no path: its target's name."""
    return getattr(provider.provides, "__qualname__", None) or type(provider).__name__


def _to_start(container: Any) -> dict[Provider, str]:
    """Everything with a life that is selected and not replaced, by path."""
    names = graph.paths(container)
    unselected = _unselected(names)
    roots = [one for one in names if one not in unselected]
    selected = dict.fromkeys([*roots, *_closure(roots, _own_needs)])
    for one in list(selected):
        _name_stand_in(one, names)
    return {one: names.get(one) or name_of(one) for one in selected if _is_alive(one)}


def _is_alive(provider: Provider) -> bool:
    """Whether starting it means anything, as it stands with its overrides.

    An object that stands in for a managed one is started in its place.
    """
    stand_in = last = layers.stand_in_of(provider)
    while stand_in is not None:
        last, stand_in = stand_in, layers.stand_in_of(stand_in)
    if last is None:
        return isinstance(provider, Managed) or is_resource(provider)
    is_one_object = isinstance(last, (di.Object, di.BaseSingleton))
    return isinstance(provider, Managed) and is_one_object and not isinstance(last, Managed)


def is_resource(provider: Provider) -> bool:
    """One of a context has nothing that a container could start for others."""
    is_local = isinstance(provider, di.ContextLocalResource)
    return isinstance(provider, di.BaseResource) and not is_local


def _resting_on(needed: Iterable[Provider], providers: Iterable[Provider]) -> set[Provider]:
    """Those of the providers that come to call one of the needed."""
    users: defaultdict[Provider, set[Provider]] = defaultdict(set)
    for one in dict.fromkeys(providers):
        for other in needs(one):
            users[other].add(one)
    found: set[Provider] = set()
    waiting = list(needed)
    while waiting:
        fresh = users[waiting.pop()] - found
        found |= fresh
        waiting += fresh
    return found


def _name_stand_in(provider: Provider, names: dict[Provider, str]) -> None:
    stand_in = layers.stand_in_of(provider)
    if stand_in is not None and provider in names:
        names.setdefault(stand_in, names[provider])


def _unselected(names: Iterable[Provider]) -> set[Provider]:
    """What only the branches that selectors do not choose could use."""
    branches = {
        branch
        for one in reached(*names) | set(names)
        if isinstance(one, di.Selector) and layers.stand_in_of(one) is None
        for branch in {*one.providers.values()} - {*_chosen(one)}
    }
    return branches | reached(*branches)


def _chosen(selector: di.Selector[Any]) -> tuple[Provider, ...]:
    """The selector's own input, and the branch it chooses; all where it cannot be told yet."""
    chooser: Any = selector.selector
    own = (chooser,) if isinstance(chooser, di.Provider) else ()
    if own and graph.must_await(chooser):
        return (*own, *selector.providers.values())
    try:
        choice: Any = chooser() if callable(chooser) else None
    except Exception:  # noqa: BLE001 - who asks the selector is told; perhaps not all is started
        return (*own, *selector.providers.values())
    branch = selector.providers.get(choice)
    return own if branch is None else (*own, branch)


def _closure(
    providers: Iterable[Provider], follow: Callable[[Provider], Iterable[Provider]]
) -> set[Provider]:
    found: set[Provider] = set()
    waiting = list(providers)
    while waiting:
        for other in follow(waiting.pop()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _own_needs(provider: Provider) -> tuple[Provider, ...]:
    """What a `Dependency` was given from elsewhere is another container's to start."""
    is_given = isinstance(provider, (di.Dependency, di.DependenciesContainer))
    return () if is_given else needs(provider)


def _outliving(provider: Provider) -> tuple[Provider, ...]:
    """What must run as long as the provider; of type-keyed services, what gives some of them.

    A source that asks the services itself cannot outlive them.
    """
    own = [one for one in _sources(provider) if provider not in _closure((one,), _behind) | {one}]
    return (*needs(provider), *own)


def _behind(provider: Provider) -> tuple[Provider, ...]:
    return (*needs(provider), *_sources(provider))


def _sources(provider: Any) -> tuple[Provider, ...]:
    return provider.sources() if hasattr(type(provider), "sources") else ()


def _phase_of(provider: Provider) -> int:
    return provider.phase if isinstance(provider, Bounded) else 0
