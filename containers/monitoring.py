"""What of a container is watched: its health as a registry, and all in it that counts."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from containers.core import graph
from containers.core.providers import Managed, Singleton
from infrastructure.health import HealthRegistry
from infrastructure.observability.metrics import Measured
from infrastructure.observability.telemetry import hook


async def health_registry(
    container: Any, *, optional: Iterable[str] = (), **options: Any
) -> HealthRegistry:
    """The container's managed components in the group `readiness`, by provider path.

    What is not built yet is built; nothing is opened before the first check.

    What the settings call `critical: false`, as every cache is unless they say otherwise, can
    only degrade the group: DOWN there is DEGRADED.

    Args:
        container: Whose components.
        optional: Paths, or patterns such as `llm.*`, of more that the application can do without.
        **options: For `HealthRegistry`.
    """
    patterns = tuple(optional)
    registry = HealthRegistry(**options)
    for provider, path in graph.paths(container).items():
        if isinstance(provider, Managed):
            component = await graph.value_of(provider)
            if hasattr(component, "health_check"):
                is_spared = any(fnmatchcase(path, pattern) for pattern in patterns)
                settings = getattr(component, "settings", None)
                is_critical = getattr(settings, "critical", True) and not is_spared
                registry.add(path, component, is_critical=is_critical)
    return registry


def measured(container: Any) -> Iterator[Measured]:
    """Everything that counts among the objects there are now; nothing is built for it.

    `metrics_app(lambda: measured(container))` serves it to Prometheus.
    """
    yield hook
    for provider in graph.paths(container):
        if isinstance(provider, Singleton):
            yield from (one for one in provider.built() if isinstance(one, Measured))
