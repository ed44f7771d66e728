"""The container of the part `cache`: a `CacheService` for each block."""

from containers import parts, providers
from infrastructure.cache import CacheService
from infrastructure.config import Settings
from infrastructure.resilience.policies import Policies


def cache_service(
    settings: Settings, part: str, path: str, policies: Policies | None = None
) -> CacheService:
    """The service over the block's provider; its namespace is the instance's name."""
    provider = parts.create(settings, part, path, policies)
    return CacheService(
        path.rpartition(".")[2], default_ttl=provider.settings.ttl_seconds, provider=provider
    )


cache = parts.component("cache", CacheService, cache_service)


class CacheContainer(parts.PartContainer):
    """Caches by name."""

    settings = providers.Dependency(instance_of=Settings)
    default = cache(settings, "default")
