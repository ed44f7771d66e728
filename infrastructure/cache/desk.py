"""What one service does on one provider to answer `get_or_set`."""

from typing import Any

from infrastructure.cache.background import Background
from infrastructure.cache.base import BaseCacheProvider
from infrastructure.cache.counts import Counts
from infrastructure.cache.entries import Entry
from infrastructure.cache.entry_options import PLAIN, CacheEntryOptions, options_of
from infrastructure.cache.keeping import Keeping
from infrastructure.cache.loaders import Loader
from infrastructure.cache.loading import Job, Loading
from infrastructure.cache.reach import MISTAKES
from infrastructure.cache.snapshots import Snapshot
from infrastructure.cache.spaces import space_of
from infrastructure.cache.waiting import Timing, ended_within
from infrastructure.errors import InfrastructureError, classify
from infrastructure.resilience import SingleFlight


class Desk:
    """A namespace on a provider, as one service works on it.

    Attributes:
        space: The namespace, shared with every service that uses it.
        keeping: Finds and stores its entries.
        ttl_seconds: The provider's default.
    """

    def __init__(
        self,
        provider: BaseCacheProvider,
        namespace: str,
        counts: Counts,
        background: Background,
        timing: Timing,
    ) -> None:
        self.space = space_of(provider, namespace)
        self.ttl_seconds = provider.settings.ttl_seconds
        self.keeping = Keeping(self.space, timing)
        self._loading = Loading(self.space, self.keeping, counts, timing.clock)
        self._counts = counts
        self._background = background
        self._clock = timing.clock
        self._named: dict[str, CacheEntryOptions] = {}

    def options(self, given: CacheEntryOptions | str | None) -> CacheEntryOptions:
        """The options of a call; those of a name are put together once.

        Raises:
            ConfigurationError: The cache's settings have none of that name.
        """
        if given is None or isinstance(given, CacheEntryOptions):
            return given or PLAIN
        found = self._named.get(given)
        if found is None:
            provider = self.space.provider
            found = self._named[given] = options_of(given, provider.settings, provider.name)
        return found

    async def get_or_load(
        self, key: str, loader: Loader, options: CacheEntryOptions, ttl_seconds: float
    ) -> Any:
        """The value that is there, or what the loader gives."""
        is_up, entry = await self._look(key, options)
        now = self.keeping.wall()
        if entry is not None and entry.is_fresh(now):
            self._counts.hits += 1
            if entry.wants_refresh(now, options.eager_refresh):
                self._refresh(Job(key, loader, options, ttl_seconds, entry, is_eager=True))
            return entry.value
        self._counts.misses += 1
        stale = entry if options.fail_safe_seconds else None
        if stale is not None and not stale.is_kept(now):
            stale = None
        return await self._load(Job(key, loader, options, ttl_seconds, stale, is_up))

    async def _look(self, key: str, options: CacheEntryOptions) -> tuple[bool, Entry | None]:
        """Whether the storage answered, and the entry."""
        try:
            return True, await self.keeping.find(key, options.tags)
        except MISTAKES:
            raise
        except InfrastructureError as error:
            self._counts.fallbacks["get", classify(error)] += 1
            return False, None

    async def _load(self, job: Job) -> Any:
        soft = job.options.loader_soft_timeout_seconds
        if job.seen is None or soft is None:
            return (await self._fly(job)).get()
        task = self._background.start(self._fly(job))
        if task is None:
            return (await self._fly(job)).get()
        if await ended_within(task, soft, self._clock) and not task.cancelled():
            return task.result().get()
        self._counts.stale_answers += 1
        return job.seen.value

    async def _fly(self, job: Job) -> Snapshot:
        """Join the load of this key that goes on, or begin one."""
        token = self.space.flying.setdefault(job.key, object())
        flights: SingleFlight[Snapshot] = self.space.flights
        return await flights.do((job.key, token), lambda: self._landed(job, token))

    async def _landed(self, job: Job, token: object) -> Snapshot:
        try:
            return await self._loading.run(job)
        finally:
            if self.space.flying.get(job.key) is token:
                del self.space.flying[job.key]

    def _refresh(self, job: Job) -> None:
        """Load behind the caller's back, once at a time."""
        refreshing = self.space.refreshing
        if job.key not in refreshing and self._loading.may_refresh(job.key):
            refreshing.add(job.key)
            task = self._background.start(self._loading.refresh(job))
            if task is None:
                refreshing.discard(job.key)
            else:  # one that is cancelled before its first step runs no `finally`
                task.add_done_callback(lambda _: refreshing.discard(job.key))
