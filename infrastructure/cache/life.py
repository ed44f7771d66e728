"""Which provider a service works on, and its life from first use to the end."""

from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from infrastructure import ambient
from infrastructure.cache.base import BaseCacheProvider, CacheRegistry
from infrastructure.cache.counts import Counts
from infrastructure.cache.desk import Desk
from infrastructure.cache.waiting import Background, Timing
from infrastructure.config.models.cache import CacheSettings
from infrastructure.health import Health
from infrastructure.observability.metrics import Measured, Measurement


class CacheLife:
    """A namespace on a provider: the one given, the default container's, or one made here.

    Args:
        namespace: Checked by the caller.
        cache_type: The kind to look for when no provider is given; None for `cache.default`.
        provider: Where values are kept.
        timing: Clocks and chance.
    """

    def __init__(
        self,
        namespace: str,
        cache_type: str | None,
        provider: BaseCacheProvider | None,
        timing: Timing,
    ) -> None:
        self.namespace = namespace
        self.cache_type = cache_type
        self.counts = Counts()
        self._background = Background(timing.clock)
        self._timing = timing
        self._own = provider
        self._last: Desk | None = None
        self._fixed = None if provider is None else self._desk_at(provider)

    @property
    def provider(self) -> BaseCacheProvider:
        """Where values are kept.

        Raises:
            ConfigurationError: None was given, and there is no default container.
        """
        if self._own is None:
            return self._ambient_provider()
        return self._own

    @property
    def settings(self) -> CacheSettings:
        """The block of the provider."""
        return self.provider.settings

    @property
    def fallbacks(self) -> Counter[tuple[str, str]]:
        """How often a call went on without the cache, by operation and category of the error."""
        return self.counts.fallbacks

    async def connect(self) -> None:
        """Open the provider now rather than at first use."""
        await self.provider.connect()

    async def disconnect(self) -> None:
        """End loads that go on behind; close a provider that was given or made here.

        What others still wait for is given to them, and not kept.
        """
        try:
            await self._background.close()
            if self._last is not None:
                await self._last.close()
        finally:
            if self._own is not None:
                await self._own.disconnect()

    def is_healthy(self) -> bool:
        """What the last check of the provider said; False before the first."""
        return self.provider.is_healthy()

    async def health_check(self) -> Health:
        """Try one real operation of the provider."""
        return await self.provider.health_check()

    def measurements(self) -> Iterable[Measurement]:
        """What was counted here, and by a provider of its own."""
        yield from self.counts.measurements({"namespace": self.namespace})
        if isinstance(self._own, Measured):
            yield from self._own.measurements()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.disconnect()

    def desk(self) -> Desk:
        """What works on the provider, for parts of the cache itself."""
        return self._fixed or self._desk_at(self.provider)

    def _desk_at(self, provider: BaseCacheProvider) -> Desk:
        """What works on that provider; made anew when the default container is another one."""
        last = self._last
        if last is None or last.space.provider is not provider:
            last = Desk(provider, self.namespace, self.counts, self._background, self._timing)
            self._last = last
        return last

    def _ambient_provider(self) -> BaseCacheProvider:
        path: str | None = "default"
        if self.cache_type is not None:
            path = ambient.path_of_kind("cache", self.cache_type)
        if path is not None:
            service: CacheLife = ambient.resolve(f"cache.{path}")
            return service.provider
        kind = str(self.cache_type)
        self._own = CacheRegistry.create(ambient.block_of_kind("cache", kind), name=f"cache.{kind}")
        return self._own
