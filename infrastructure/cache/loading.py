"""Loading a value that is not there: one run for all who wait, kept if nothing came between."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from infrastructure.cache.counts import Counts
from infrastructure.cache.entries import Entry, Versions
from infrastructure.cache.keeping import Keeping
from infrastructure.cache.loaders import NOT_MODIFIED, LoadContext, Loader, call, takes_context
from infrastructure.cache.reach import LoaderState
from infrastructure.cache.rights import Right, Rights
from infrastructure.cache.snapshots import Snapshot
from infrastructure.cache.spaces import Space
from infrastructure.cache.tags import ANY
from infrastructure.cache.waiting import TIDY_SECONDS, ended_within
from infrastructure.config.models.cache import CacheEntryOptions
from infrastructure.errors import DeadlineExceededError, UnavailableError
from infrastructure.resilience.clock import Clock

_MOST_QUIET: Final = 1_000


@dataclass(frozen=True, slots=True)
class Job:
    """One value to load.

    Attributes:
        seen: What was found before; stale, or to be refreshed.
        is_up: The storage answered when it was asked last.
        is_eager: Nobody waits for it: the value is fresh still.
    """

    key: str
    loader: Loader
    options: CacheEntryOptions
    ttl_seconds: float
    seen: Entry | None = None
    is_up: bool = True
    is_eager: bool = False


class Loading:
    """Runs jobs of one namespace.

    Args:
        space: The namespace.
        keeping: Finds and stores its entries.
        counts: Where to count.
        clock: Waits and bounds.

    Attributes:
        rights: The rights to load that are held.
    """

    def __init__(self, space: Space, keeping: Keeping, counts: Counts, clock: Clock) -> None:
        self._space = space
        self._keeping = keeping
        self._counts = counts
        self._clock = clock
        self.rights = Rights(space, keeping, counts, clock)
        self._loaders = LoaderState(space.provider.name, space.namespace)
        self._bound: set[asyncio.Task[Any]] = set()
        self._quiet_until: dict[str, float] = {}

    async def run(self, job: Job) -> Snapshot:
        """Load under the right to fill, or give what somebody else has loaded meanwhile."""
        right = Right(stale=job.seen)
        if job.is_up:
            tags, seconds = job.options.tags, job.options.lease_seconds
            right = await self.rights.wait(job.key, job.seen, tags, seconds)
        if right.found is not None:
            return self._snapshot(right.found.value)
        return self._snapshot(await self._load_or_give_back(job, right))

    async def refresh(self, job: Job, seen: Entry) -> None:
        """Load behind a hit, unless somebody else does so already, or the entry is gone."""
        options = job.options
        right = await self.rights.ask_once(job.key, seen, options.tags, options.lease_seconds)
        if right.lease:
            await self._load_or_give_back(job, right)

    def may_refresh(self, key: str) -> bool:
        """Whether its last eager load did not fail just now."""
        return self._clock.now() >= self._quiet_until.get(key, 0.0)

    async def _load_or_give_back(self, job: Job, right: Right) -> Any:
        try:
            return await self._load(replace(job, seen=right.stale), right)
        except GeneratorExit:  # the event loop is gone; nothing can be awaited any more
            raise
        except BaseException:
            await self.rights.give_back(right)
            raise

    async def _load(self, job: Job, right: Right) -> Any:
        context = LoadContext(job.key, job.seen, job.ttl_seconds, job.options.tags)
        is_up, noted = await self._noted(job, right)
        if not is_up:
            await self.rights.give_back(right)
            right = Right()
        try:
            answer = await self._answer(job, context)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return await self._fallen_back(job, right, self._cancelled_within(error))
        except Exception as error:  # noqa: BLE001 - whatever a loader raises
            return await self._fallen_back(job, right, error)
        self._loaders.answered()
        is_kept = right in self.rights and context.is_kept
        if not (is_kept and await self._keep(job, right, context, answer, noted)):
            self._counts.unkept += 1
            await self.rights.give_back(right)
        return answer

    async def _answer(self, job: Job, context: LoadContext) -> Any:
        self._counts.loads += 1
        self._counts.refreshes += job.is_eager
        seconds = job.options.loader_hard_timeout_seconds
        if seconds is None:
            answer = await call(job.loader, context)
        else:
            answer = await self._bounded(job, context, seconds)
        if answer is not NOT_MODIFIED:
            return answer
        if job.seen is None:
            raise ValueError(
                f"the loader of {job.key!r:.80} says NOT_MODIFIED of no value. "
                "Answer so only where `context.stale` is not MISSING."
            )
        return job.seen.value

    async def _bounded(self, job: Job, context: LoadContext, seconds: float) -> Any:
        task = asyncio.ensure_future(call(job.loader, context))
        self._bound.add(task)
        task.add_done_callback(self._ended)
        try:
            is_ended = await ended_within(task, seconds, self._clock)
        except asyncio.CancelledError:
            await self._end(task)
            raise
        if is_ended:
            return task.result()
        await self._end(task)
        hint = "The loader was cancelled. Raise loader_hard_timeout_seconds if it needs longer."
        raise DeadlineExceededError(seconds, where=self._space.provider.name, hint=hint)

    async def _end(self, task: "asyncio.Task[Any]") -> None:
        """Cancel, and let it tidy up; one that will not end is left behind."""
        task.cancel()
        await ended_within(task, TIDY_SECONDS, self._clock)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._bound.discard(task)
        if not task.cancelled():
            task.exception()  # seen, though it may have taken too long for anybody to look

    def _cancelled_within(self, cause: asyncio.CancelledError) -> Exception:
        """What those are told who wait, none of whom was cancelled."""
        error = UnavailableError(
            "the loader was cancelled from within", where=self._space.provider.name
        )
        error.__cause__ = cause
        return error

    async def _fallen_back(self, job: Job, right: Right, error: Exception) -> Any:
        """The stale value, which is then given to all for a while without asking the loader."""
        self._counts.load_failures += 1
        stale, now = job.seen, self._keeping.wall()
        if job.is_eager:
            self._be_quiet(job)
            self._loaders.failed(error)
        if job.is_eager or stale is None or not stale.is_kept(now):
            raise error
        self._loaders.failed(error)
        self._counts.stale_answers += 1
        kept = stale.until(now + job.options.fail_safe_throttle_seconds)
        await self.rights.fill(right, kept, max(stale.kept_until - now, 0.001))
        return stale.value

    def _be_quiet(self, job: Job) -> None:
        """Ask a loader that failed not at every hit."""
        if len(self._quiet_until) >= _MOST_QUIET:
            self._quiet_until.clear()
        seconds = job.options.fail_safe_throttle_seconds
        self._quiet_until[job.key] = self._clock.now() + seconds

    async def _noted(self, job: Job, right: Right) -> tuple[bool, Versions]:
        """The versions of the tags before the loader runs; of all, when it may add some."""
        tags = job.options.tags
        if takes_context(job.loader):
            tags = (*tags, ANY)
        if not (right.lease and tags):
            return True, ()
        seconds = self._keeping.kept_seconds(job.options, job.ttl_seconds)
        return await self.rights.attempt("get", self._keeping.tags.versions(tags, seconds))

    async def _keep(
        self, job: Job, right: Right, context: LoadContext, value: Any, noted: Versions
    ) -> bool:
        """Store under the right, and say whether it was; not what is too large, or void by now."""
        ttl = context.lifetime()
        versions = await self._versions(context, noted, ttl)
        etag = context.etag
        if job.seen is not None and etag == job.seen.etag and value is not job.seen.value:
            etag = None  # that of the value before, which the loader left as it was
        entry = self._keeping.entry(value, job.options, ttl, versions or (), etag)
        if versions is None or not self._keeping.fits(entry.stored(), job.options):
            return False
        seconds = self._keeping.seconds_of(entry, ttl, job.options)
        return await self.rights.fill(right, entry, seconds)

    async def _versions(self, context: LoadContext, noted: Versions, ttl: float) -> Versions | None:
        """Those of the tags the loader left; None when one it added was removed meanwhile.

        Whether any was is asked last: a removal between the two would leave a version that is
        newer than the value.
        """
        known, names = dict(noted), context.names()
        before = known.pop(ANY, None)
        added = tuple(tag for tag in names if tag not in known)
        kept = tuple((tag, known[tag]) for tag in names if tag in known)
        if not added:
            return kept
        versions = self._keeping.tags.versions
        is_up, found = await self.rights.attempt("get", versions(added, ttl))
        if is_up:
            is_up, any_now = await self.rights.attempt("get", versions((ANY,)))
        if not is_up or any_now != ((ANY, before),):
            return None
        return (*kept, *found)

    def _snapshot(self, value: Any) -> Snapshot:
        return Snapshot(value, where=self._space.provider.name)


def _is_cancelled() -> bool:
    """Whether somebody cancelled this task, rather than something it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
