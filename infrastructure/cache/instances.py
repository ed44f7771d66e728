"""The caches named in the settings: `signup_cache` here is `cache.instances.signup` there.

from infrastructure.cache.instances import confirmation_cache, signup_cache
"""

from infrastructure import ambient
from infrastructure.cache.cache_service import CacheService

_SUFFIX = "_cache"


def __getattr__(name: str) -> CacheService:
    instance = name.removesuffix(_SUFFIX)
    if name.startswith("_") or instance == name:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    configured = ambient.resolve("settings").cache.instances
    if instance not in configured:
        known = ", ".join(f"{other}{_SUFFIX}" for other in sorted(configured)) or "none"
        raise AttributeError(
            f"no cache instance '{instance}' under cache.instances. Configured: {known}"
        )
    service: CacheService = ambient.resolve(f"cache.instances.{instance}")
    return service
