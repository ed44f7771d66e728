"""Cached answers for code without an event loop; no loop is ever started here."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from infrastructure.cache.base import SyncAccess
from infrastructure.cache.cache_service import CacheService, Options
from infrastructure.cache.entries import MISSING
from infrastructure.cache.keys import checked_key
from infrastructure.cache.reach import MISTAKES
from infrastructure.cache.snapshots import Snapshot
from infrastructure.cache.spaces import Space
from infrastructure.config.models.cache import CacheEntryOptions
from infrastructure.errors import (
    Category,
    ConfigurationError,
    InfrastructureError,
    UnavailableError,
    classify,
)
from infrastructure.resilience import SingleFlight

Call = Callable[[], Any]
#: A key, and what a caller that may join this call finds under it.
Turn = tuple[str, SingleFlight[Snapshot]]

_LOOK_SECONDS: Final = 1.0


class _LeaderGoneError(Exception):
    """The thread that called for others was interrupted; they call anew."""


class SyncCalls:
    """`get_or_set` for plain functions, in the calling thread.

    Args:
        cache: Where answers are kept.
    """

    def __init__(self, cache: CacheService) -> None:
        self._cache = cache
        self._flights: dict[Turn, Future[Snapshot]] = {}
        self._lock = threading.Lock()

    def get_or_call(self, key: str, call: Call, ttl: float | None, options: Options) -> Any:
        """The answer that is kept, or that of the call.

        Raises:
            ConfigurationError: The cache is in reach of an event loop only, and this thread has
                one running or no running loop has opened the cache; or the options need one.
        """
        provider = self._cache.provider
        if isinstance(provider, SyncAccess):
            return self._near(provider, key, _Job(call, ttl, options))
        _refuse_rest(self._cache.chosen(ttl, options)[0], provider.name)
        return _ThroughLoop(self._cache, key, call).run(self._loop(), ttl, options)

    def _near(self, storage: SyncAccess, key: str, job: "_Job") -> Any:
        space = self._cache.desk().space
        whole, found = self._look(space, storage, key)
        if found is not MISSING:
            self._cache.counts.hits += 1
            return found
        self._cache.counts.misses += 1
        turn = (key, space.flights.setdefault(key, SingleFlight()))
        with self._lock:
            flight = self._flights.get(turn)
            if is_leader := flight is None:
                flight = self._flights[turn] = Future()
        if is_leader:
            return self._lead(flight, turn, lambda: self._loaded(storage, whole, job))
        try:
            return flight.result().get()
        except _LeaderGoneError:
            return self._near(storage, key, job)

    def _look(self, space: Space, storage: SyncAccess, key: str) -> tuple[str, Any]:
        """The whole key and what stands there; an empty key when the storage cannot be asked."""
        checked_key(key)
        if space.pending:  # what is there may be what was to be removed
            self._cache.counts.fallbacks["get", Category.TRANSIENT] += 1
            return "", MISSING
        try:
            whole = space.whole_now(key)
            found = storage.get_now(whole)
        except MISTAKES:
            raise
        except InfrastructureError as error:
            self._fallen_back("get", error)
            return "", MISSING
        if space.reach.is_down:
            space.reach.answered()
        return whole, found

    def _lead(self, flight: "Future[Snapshot]", turn: Turn, load: Callable[[], Snapshot]) -> Any:
        """Call for all threads that wait; what ends this thread ends no other."""
        try:
            answer = load()
        except BaseException as error:
            flight.set_exception(error if isinstance(error, Exception) else _LeaderGoneError())
            raise
        else:
            flight.set_result(answer)
        finally:
            key, joined = turn
            with self._lock:
                del self._flights[turn]
            space = self._cache.desk().space
            if space.flights.get(key) is joined:
                space.forget_flights([key])
        return answer.get()

    def _loaded(self, storage: SyncAccess, whole: str, job: "_Job") -> Snapshot:
        options, seconds = self._cache.chosen(job.ttl, job.options)
        where = self._cache.provider.name
        _refuse_rest(options, where)
        lease = self._try("lease", storage.lease_now, whole, options.lease_seconds) if whole else ""
        is_kept: bool | None = None
        try:
            self._cache.counts.loads += 1
            value = job.call()
            keeping = self._cache.desk().keeping
            kept = keeping.fresh_seconds(value, options, seconds)
            if lease and keeping.fits(value, options):
                is_kept = self._try("fill", storage.fill_now, whole, value, kept, lease)
        finally:
            if lease and is_kept is None:  # others would wait for it until its time is over
                self._try("release", storage.release_now, whole, lease)
        self._cache.counts.unkept += not is_kept
        return Snapshot(value, where=where)

    def _try(self, operation: str, ask: Callable[..., Any], *args: Any) -> Any:
        """The storage's answer; None, and counted, when there is none."""
        try:
            return ask(*args)
        except MISTAKES:
            raise
        except InfrastructureError as error:
            self._fallen_back(operation, error)
            return None

    def _fallen_back(self, operation: str, error: InfrastructureError) -> None:
        self._cache.counts.fallbacks[operation, classify(error)] += 1
        self._cache.desk().space.reach.failed(error)

    def _loop(self) -> asyncio.AbstractEventLoop:
        provider = self._cache.provider
        loop = provider.loop
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if loop is not None and loop.is_running():
                return loop
            hint = "Open the cache in a running loop first, or use kind memory or disk."
            raise ConfigurationError(
                "no running event loop has opened this cache", where=provider.name, hint=hint
            ) from None
        raise ConfigurationError(
            f"a sync function cached in kind '{provider.settings.kind}' was called in the event "
            "loop's thread",
            where=provider.name,
            hint="Make it a coroutine function, or call it with asyncio.to_thread.",
        )


@dataclass(frozen=True, slots=True)
class _Job:
    """One call to make, and how to keep its answer."""

    call: Call
    ttl: float | None
    options: Options


class _ThroughLoop:
    """A call made in this thread when the event loop of the cache finds that it must be."""

    def __init__(self, cache: CacheService, key: str, call: Call) -> None:
        self._cache = cache
        self._key = key
        self._call = call
        self._said: queue.SimpleQueue[asyncio.Future[Any] | None] = queue.SimpleQueue()
        self._waiting: asyncio.Future[Any] | None = None
        self._is_ended = False

    def run(self, loop: asyncio.AbstractEventLoop, ttl: float | None, options: Options) -> Any:
        asked = self._cache.get_or_set(self._key, self._load, ttl, options=options)
        answer = asyncio.run_coroutine_threadsafe(asked, loop)
        answer.add_done_callback(lambda _: self._said.put(None))
        try:
            while (waiting := self._heard(loop)) is not None:
                self._answer(loop, waiting)
        except BaseException:
            answer.cancel()
            with suppress(RuntimeError):  # the loop is closed, and nobody waits in it
                loop.call_soon_threadsafe(self._end)
            raise
        return answer.result()

    def _heard(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Any] | None":
        """Who waits for the call to be made; None when the answer is there."""
        while True:
            try:
                return self._said.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if not loop.is_running():
                    raise self._gone("the event loop of the cache has ended") from None

    async def _load(self) -> Any:
        """In the event loop: have the thread make the call."""
        if self._is_ended:
            raise self._gone("the calling thread ended before it answered")
        self._waiting = asyncio.get_running_loop().create_future()
        self._said.put(self._waiting)
        return await self._waiting

    def _end(self) -> None:
        """In the event loop: let nobody wait for a thread that is gone."""
        self._is_ended = True
        if self._waiting is not None:
            _tell(self._waiting, None, self._gone("the calling thread ended before it answered"))

    def _answer(self, loop: asyncio.AbstractEventLoop, waiting: "asyncio.Future[Any]") -> None:
        try:
            value, error = self._call(), None
        except Exception as raised:  # noqa: BLE001 - it goes to everybody who waits for this load
            value, error = None, raised
        loop.call_soon_threadsafe(_tell, waiting, value, error)

    def _gone(self, what: str) -> UnavailableError:
        return UnavailableError(what, where=self._cache.provider.name)


def _tell(waiting: "asyncio.Future[Any]", value: Any, error: Exception | None) -> None:
    if waiting.done():
        return
    if error is None:
        waiting.set_result(value)
    else:
        waiting.set_exception(error)


def _refuse_rest(options: CacheEntryOptions, where: str) -> None:
    """What goes on behind a caller, or ends a loader, needs one that is no thread."""
    if options.needs_record or options.loader_hard_timeout_seconds is not None:
        raise ConfigurationError(
            "tags, stale values, eager refresh and loader timeouts need a coroutine function",
            where=where,
            hint="Make the function async, or leave them out of its options.",
        )
