"""What one service does on one provider to answer `get_or_set`."""

from typing import Any, Final

from infrastructure.cache.base import BaseCacheProvider
from infrastructure.cache.counts import Counts
from infrastructure.cache.entries import Entry
from infrastructure.cache.keeping import Keeping
from infrastructure.cache.loaders import Loader
from infrastructure.cache.loading import Job, Loading
from infrastructure.cache.snapshots import Snapshot
from infrastructure.cache.spaces import space_of
from infrastructure.cache.waiting import Background, Timing, ended_within
from infrastructure.config.models.cache import CacheEntryOptions
from infrastructure.errors import ConfigurationError
from infrastructure.resilience import SingleFlight

#: What stands for no options.
PLAIN: Final = CacheEntryOptions()


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
            found = self._named[given] = self._options_named(given)
        return found

    async def get_or_load(
        self, key: str, loader: Loader, options: CacheEntryOptions, ttl_seconds: float
    ) -> Any:
        """The value that is there, or what the loader gives."""
        finding = self.keeping.find(key, options.tags)
        is_up, entry = await self._loading.rights.attempt("get", finding)
        now = self.keeping.wall()
        if is_up and entry is not None and entry.is_fresh(now):
            self._counts.hits += 1
            if entry.wants_refresh(now, options.eager_refresh):
                self._refresh(Job(key, loader, options, ttl_seconds, is_eager=True), entry)
            return entry.value
        self._counts.misses += 1
        is_stale = is_up and entry is not None and options.fail_safe_seconds and entry.is_kept(now)
        stale = entry if is_stale else None
        return await self._load(Job(key, loader, options, ttl_seconds, stale, is_up))

    async def close(self) -> None:
        """Give back every right to load; what is still loaded is given, and not kept."""
        await self._loading.rights.give_all_back()

    def _options_named(self, name: str) -> CacheEntryOptions:
        provider = self.space.provider
        try:
            return provider.settings.options(name)
        except ConfigurationError as error:
            where = f"{provider.name}.{error.where}"
            raise ConfigurationError(error.what, where=where, hint=error.hint) from None

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
        flights = self.space.flights
        flight = flights.get(job.key)
        if flight is None:
            flight = flights[job.key] = SingleFlight()
        try:
            return await flight.do(job.key, lambda: self._loading.run(job))
        finally:
            if not flight and flights.get(job.key) is flight:
                del flights[job.key]

    def _refresh(self, job: Job, seen: Entry) -> None:
        """Load behind the caller's back, once at a time."""
        refreshing = self.space.refreshing
        if job.key in refreshing or not self._loading.may_refresh(job.key):
            return
        task = self._background.start(self._loading.refresh(job, seen))
        if task is None:
            self._counts.refreshes_refused += 1
        else:  # one that is cancelled before its first step runs no `finally`
            refreshing.add(job.key)
            task.add_done_callback(lambda _: refreshing.discard(job.key))
