"""Which provider of a container is meant: by dotted name, or by a provider of its class."""

from collections.abc import Iterator
from typing import Any

from dependency_injector import providers as di
from dependency_injector.wiring import ProvidersMap

from containers.core import graph, layers, layouts
from containers.core.groups import Group
from containers.errors import UnknownProviderError


class Declared(ProvidersMap):
    """Which provider of a container one of its class means; one added since means itself."""

    @classmethod
    def _create_providers_map(
        cls, current_container: Any, original_container: Any
    ) -> dict[di.Provider[Any], di.Provider[Any]]:
        declared = original_container.providers
        found = {original_container.__self__: current_container.__self__}
        for name, provider in current_container.providers.items():
            original = declared.get(name, provider)
            found[original] = provider
            if isinstance(original, di.Container) and isinstance(provider, di.Container):
                inside = cls._create_providers_map(provider.container, original.container)
                found.update(inside)
        return found


def find(container: Any, provider: Any) -> di.Provider[Any]:
    """The provider a dotted name stands for, or a provider of the container or of its class.

    Raises:
        UnknownProviderError: The container has no such provider.
    """
    if isinstance(provider, di.Provider):
        return _own(container, provider)
    found = container
    for name in provider.split("."):
        inside = found is container or isinstance(found, (di.Container, Group))
        found = found.providers.get(name) if inside else None
        if found is None or isinstance(found, di.Self):
            raise UnknownProviderError(provider, dict(graph.walk(container)))
    return found  # type: ignore[no-any-return]  # a provider after the first name


def has(container: Any, provider: di.Provider[Any]) -> bool:
    """Whether the provider is the container's, or stands in for one of its."""
    if isinstance(container, type):  # it has no scopes, and so no layout
        return provider in graph.paths(container)
    return layouts.has(container, provider) or any(
        layer.brings(provider) and any(layouts.has(container, one) for one in layer.replacements)
        for layer in layers.active()
    )


def _own(container: Any, provider: di.Provider[Any]) -> di.Provider[Any]:
    """The container's provider where one of its class is meant; what only uses some passes."""
    if has(container, provider):
        return provider
    own = Declared(container).resolve_provider(provider)
    if own is not None:
        return own
    reached: Iterator[di.Provider[Any]] = provider.traverse()
    if any(layouts.has(container, other) for other in reached):
        return provider
    raise UnknownProviderError(graph.name_of(provider), dict(graph.walk(container)))
