"""Make a cache provider from a kind or a settings block."""

from infrastructure import ambient
from infrastructure.cache.base import BaseCacheProvider, CacheRegistry
from infrastructure.config.models.cache import CacheSettings


class CacheFactory:
    """A door on `CacheRegistry`."""

    @staticmethod
    def create_cache(
        kind: str | None = None, settings: CacheSettings | None = None, *, name: str = ""
    ) -> BaseCacheProvider:
        """A new provider, which the caller closes; nothing is opened yet.

        Args:
            kind: Such as `CacheType.REDIS`. Alone it takes `cache.default` if that has the kind,
                else the first instance that has, else the kind's defaults; without it,
                `cache.default`.
            settings: The block to use, instead of looking for one.
            name: Names the provider in errors.

        Raises:
            ValueError: The block is of another kind.
            UnknownKindError: There is no such kind.
            MissingExtraError: The kind's package is not installed.
        """
        if settings is None:
            settings = _default() if kind is None else ambient.block_of_kind("cache", kind)
        elif kind is not None and settings.kind != kind:
            raise ValueError(f"the block is of kind '{settings.kind}', not '{kind}'")
        return CacheRegistry.create(settings, name=name)


def _default() -> CacheSettings:
    block: CacheSettings = ambient.resolve("settings").cache.default
    return block
