"""Loading a value that is not there: one run for all who wait, kept if nothing came between."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, Final

from infrastructure.cache.counts import Counts
from infrastructure.cache.entries import Entry, Versions
from infrastructure.cache.entry_options import CacheEntryOptions
from infrastructure.cache.keeping import Keeping
from infrastructure.cache.loaders import NOT_MODIFIED, LoadContext, Loader, call, takes_context
from infrastructure.cache.missing import MISSING
from infrastructure.cache.reach import MISTAKES, LoaderState
from infrastructure.cache.rights import Right
from infrastructure.cache.snapshots import Snapshot
from infrastructure.cache.spaces import Space
from infrastructure.cache.tags import ANY
from infrastructure.cache.waiting import ended_within
from infrastructure.errors import (
    DeadlineExceededError,
    InfrastructureError,
    UnavailableError,
    classify,
)
from infrastructure.resilience.clock import Clock

_FIRST_POLL_SECONDS: Final = 0.01
_LAST_POLL_SECONDS: Final = 0.25
_MOST_QUIET: Final = 1_000
#: How long a cancelled loader may take to tidy up before it is left behind.
_TIDY_SECONDS: Final = 1.0


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
    """

    def __init__(self, space: Space, keeping: Keeping, counts: Counts, clock: Clock) -> None:
        self._space = space
        self._keeping = keeping
        self._counts = counts
        self._clock = clock
        self._loaders = LoaderState(space.provider.name, space.namespace)
        self._rights = keeping.rights
        self._ending: set[asyncio.Task[Any]] = set()
        self._quiet_until: dict[str, float] = {}

    async def run(self, job: Job) -> Snapshot:
        """Load under the right to fill, or give what somebody else has loaded meanwhile."""
        right = await self._right(job) if job.is_up else Right(stale=job.seen)
        if right.found is not None:
            return self._snapshot(right.found.value)
        return self._snapshot(await self._load_or_give_back(job, right))

    async def refresh(self, job: Job) -> None:
        """Load behind a hit, unless somebody else does so already, or the entry is gone."""
        right = await self._right(job)
        if right.stale is not None:
            await self._load_or_give_back(job, right)
        else:
            await self._give_back(right)

    def may_refresh(self, key: str) -> bool:
        """Whether its last eager load did not fail just now."""
        return self._clock.now() >= self._quiet_until.get(key, 0.0)

    async def _load_or_give_back(self, job: Job, right: Right) -> Any:
        try:
            return await self._load(replace(job, seen=right.stale), right)
        except GeneratorExit:  # the event loop is gone; nothing can be awaited any more
            raise
        except BaseException:
            await self._give_back(right)
            raise

    async def _right(self, job: Job) -> Right:
        """The lease; or what its holder has stored; or neither, when it takes too long.

        What was seen before may have been removed since. Only what is still there once the lease
        is had, which every later change makes void, may be given or stored again.
        """
        seconds, pause, waited = job.options.lease_seconds, _FIRST_POLL_SECONDS, 0.0
        while True:
            whole = self._space.known(job.key)
            is_up, lease = await self._try(self._rights.ask(whole, seconds), "lease")
            if not is_up:
                return Right(stale=None if job.is_eager else job.seen)
            right = Right(whole, lease)
            if job.is_eager and not lease:
                return right
            right = await self._looked(job, right)
            if right.found is not None or right.lease or not right.whole or waited > 2 * seconds:
                return right
            await self._clock.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, _LAST_POLL_SECONDS)

    async def _looked(self, job: Job, right: Right) -> Right:
        """The right with what stands there now; none when that cannot be known."""
        try:
            is_up, entry = await self._try(self._keeping.find(job.key, job.options.tags), "get")
        except BaseException:
            await self._give_back(right)
            raise
        now = self._keeping.wall()
        if not is_up:
            await self._give_back(right)
            return Right(stale=None if job.is_eager else job.seen)
        if entry is None:
            return right
        is_same = job.seen is not None and entry.fresh_until <= job.seen.fresh_until
        if entry.is_fresh(now) and not is_same:
            await self._give_back(right)
            return Right(found=entry)
        is_wanted = job.seen is not None and entry.is_kept(now)
        return replace(right, stale=entry) if is_wanted else right

    async def _load(self, job: Job, right: Right) -> Any:
        context = LoadContext(job.key, job.seen, job.ttl_seconds, job.options.tags)
        is_up, noted = await self._noted(job, right)
        if not is_up:
            await self._give_back(right)
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
        if right in self._rights and context.is_kept:
            await self._keep(job, right, context, answer, noted)
        else:
            await self._give_back(right)
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
            raise ValueError(f"the loader of {job.key!r:.80} says NOT_MODIFIED of no value")
        return job.seen.value

    async def _bounded(self, job: Job, context: LoadContext, seconds: float) -> Any:
        task = asyncio.ensure_future(call(job.loader, context))
        try:
            if await ended_within(task, seconds, self._clock):
                return task.result()
        finally:
            if not task.done():
                await self._end(task)
        raise DeadlineExceededError(
            seconds, where=self._space.provider.name, hint="The loader was cancelled."
        )

    async def _end(self, task: "asyncio.Task[Any]") -> None:
        """Cancel, and let it tidy up; one that will not end is left behind."""
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ended)
        await ended_within(task, _TIDY_SECONDS, self._clock)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # seen: it has failed already by taking too long

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
        if right in self._rights:
            kept = stale.until(now + job.options.fail_safe_throttle_seconds)
            await self._fill(right, kept, max(stale.kept_until - now, 0.001))
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
        return await self._try(self._keeping.tags.versions(tags, seconds), "get")

    async def _keep(
        self, job: Job, right: Right, context: LoadContext, value: Any, noted: Versions
    ) -> None:
        ttl = context.lifetime()
        versions = await self._versions(context, noted, ttl)
        entry = self._keeping.entry(value, job.options, ttl, versions or (), context.etag)
        if versions is None or not self._keeping.fits(entry.stored(), job.options):
            self._counts.unkept += 1
            await self._give_back(right)
            return
        await self._fill(right, entry, self._keeping.seconds_of(entry, ttl, job.options))

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
        is_up, found = await self._try(self._keeping.tags.versions(added, ttl), "get")
        if is_up:
            is_up, any_now = await self._try(self._keeping.tags.versions((ANY,)), "get")
        if not is_up or any_now != ((ANY, before),):
            return None
        return (*kept, *found)

    async def _fill(self, right: Right, entry: Entry, seconds: float) -> None:
        if right not in self._rights:
            return
        is_up, is_kept = await self._try(self._rights.fill(right, entry, seconds), "fill")
        if not is_up:
            await self._give_back(right)  # others would wait for it until its time is over
        elif not is_kept:
            self._counts.unkept += 1

    async def _give_back(self, right: Right) -> None:
        if right in self._rights:
            await self._try(self._rights.give_back(right), "release")

    async def _try(self, asked: Awaitable[Any], operation: str) -> tuple[bool, Any]:
        """Whether the storage answered, and its answer; counted when it did not."""
        try:
            return True, await asked
        except MISTAKES:
            raise
        except InfrastructureError as error:
            self._counts.fallbacks[operation, classify(error)] += 1
            return False, MISSING

    def _snapshot(self, value: Any) -> Snapshot:
        return Snapshot(value, where=self._space.provider.name)


def _is_cancelled() -> bool:
    """Whether somebody cancelled this task, rather than something it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
