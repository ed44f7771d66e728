"""Circles among providers: a call that would come to itself, told before it is made."""

from collections.abc import Iterator, Mapping
from typing import Any

from dependency_injector import providers as di

from containers.core import graph, layers, ledger, scopes
from containers.core.groups import Group
from containers.errors import CircularDependencyError

#: What calls none of the providers it holds, or only the one that is asked for.
_OPEN = (di.Delegate, di.Container, di.DependenciesContainer, di.Self, di.Selector, di.Aggregate)


def refuse(provider: Any) -> None:
    """Look once at everything that a call of the provider calls, as overridden here and now.

    What is found without a circle is not looked at again until a graph or an override changes.

    Raises:
        CircularDependencyError: The call would come to a provider that it comes from.
    """
    key = (ledger.revision(), tuple(map(id, layers.active())))
    if provider.known_open == key:
        return
    open_ones: set[Any] = set()
    circle = _circle(provider, [], open_ones, key)
    if circle:
        names = graph.paths(scope.container) if (scope := scopes.current_scope()) else {}
        path = [_name(one, names) for one in circle[1:] if not isinstance(one, di.Dependency)]
        raise CircularDependencyError([path[-1], *path])
    if not any(map(graph.is_unset, open_ones)):  # what it will be given may close a circle
        for one in open_ones:
            if hasattr(type(one), "known_open"):
                one.known_open = key


def _circle(provider: Any, above: list[Any], open_ones: set[Any], key: Any) -> list[Any]:
    """The first circle that is met, its first provider named again at the end."""
    if provider in above:
        return [*above[above.index(provider) :], provider]
    is_ours = hasattr(type(provider), "known_open")
    if provider in open_ones or (is_ours and provider.known_open == key):
        return []
    above.append(provider)
    for other in _called(provider):
        circle = _circle(other, above, open_ones, key)
        if circle:
            return circle
    open_ones.add(above.pop())
    return []


def _called(provider: Any) -> Iterator[Any]:
    """What a call of the provider is certain to call."""
    stand_in = layers.stand_in_of(provider)
    if stand_in is not None:
        yield stand_in
    elif not isinstance(provider, (*_OPEN, Group)) and not _has_object(provider):
        yield from (one for one in graph.dependencies(provider) if not di.is_delegated(one))


def _has_object(provider: Any) -> bool:
    if isinstance(provider, di.BaseResource):
        return bool(provider.initialized)
    return hasattr(type(provider), "built") and bool(provider.built())


def _name(provider: Any, names: Mapping[Any, str]) -> str:
    return names.get(provider) or graph.name_of(provider)
