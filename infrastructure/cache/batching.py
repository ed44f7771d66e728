"""Reads of one turn of the event loop, sent as one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from infrastructure.cache.missing import Missing
from infrastructure.cache.snapshots import UNCHANGEABLE, Snapshot, is_unchangeable
from infrastructure.resilience.deadlines import deadline

Read = Callable[[Sequence[str]], Awaitable[list[Any]]]

_MOST_KEYS: Final = 512
_SHARED: Final = UNCHANGEABLE | {Missing}


class JoinedReads:
    """The first reader of a turn waits for the others of that turn, and reads for all.

    A reader waits for nobody when nothing else is to run in this turn, as far as the event loop
    shows it, and no other read is under way. The first reader's cancellation cancels nobody
    else: the others are read for anew, within what is left of the time.

    Args:
        read: Reads many keys at once, bounded by itself.
        seconds: Bound on the second read.
        where: Names the provider in errors.
    """

    def __init__(self, read: Read, seconds: float, where: str) -> None:
        self._read = read
        self._seconds = seconds
        self._where = where
        self._open: _Batch | None = None
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`; no two readers share an object that can change."""
        loop = asyncio.get_running_loop()
        batch = self._open
        if batch is not None and batch.loop is loop and len(batch.keys) + len(keys) <= _MOST_KEYS:
            return await batch.join(keys)
        batch = self._open = _Batch(loop, keys)
        return await self._lead(batch, keys)

    async def _lead(self, batch: "_Batch", keys: Sequence[str]) -> list[Any]:
        try:
            if self._under_way or getattr(batch.loop, "_ready", True):
                await asyncio.sleep(0)
            self._close(batch)
            self._under_way += 1
            try:
                if not batch.waiting:
                    return await self._read(keys)
                found = await self._read([*batch.keys])
            finally:
                self._under_way -= 1
            share = _Share(batch.keys, found)
            own = share.of(keys)
            batch.land(share)
        except Exception as error:
            batch.fail(error)
            raise
        except BaseException:
            self._close(batch)
            self._hand_over(batch)
            raise
        return own

    def _close(self, batch: "_Batch") -> None:
        if self._open is batch:
            self._open = None

    def _hand_over(self, batch: "_Batch") -> None:
        if batch.has_waiting():
            task = batch.loop.create_task(self._serve(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, batch: "_Batch") -> None:
        left = self._seconds - (batch.loop.time() - batch.began)
        try:
            async with deadline(max(left, 0.001), self._where):
                batch.land(_Share(batch.keys, await self._read([*batch.keys])))
        except Exception as error:  # noqa: BLE001 - it goes to every reader that waits
            batch.fail(error)
        finally:
            batch.cancel()


class _Batch:
    """What one turn asks for.

    Attributes:
        keys: Each of them once.
        waiting: Who waits, but for the first reader.
        wanted: Which keys each of these wants.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, keys: Sequence[str]) -> None:
        self.loop = loop
        self.began = loop.time()
        self.keys: dict[str, None] = dict.fromkeys(keys)
        self.waiting: list[asyncio.Future[list[Any]]] = []
        self.wanted: list[Sequence[str]] = []

    def has_waiting(self) -> bool:
        return not all(future.done() for future in self.waiting)

    def join(self, keys: Sequence[str]) -> "asyncio.Future[list[Any]]":
        future: asyncio.Future[list[Any]] = self.loop.create_future()
        asked = self.keys
        for key in keys:
            asked[key] = None
        self.waiting.append(future)
        self.wanted.append(keys)
        return future

    def land(self, share: "_Share") -> None:
        own = share.of
        for future, keys in zip(self.waiting, self.wanted, strict=True):
            if not future.done():
                future.set_result(own(keys))

    def fail(self, error: Exception) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_exception(error)

    def cancel(self) -> None:
        for future in self.waiting:
            future.cancel()


class _Share:
    """Hands out what was read; an object that can change to one reader only, then copies."""

    def __init__(self, keys: Iterable[str], found: list[Any]) -> None:
        self._found = dict(zip(keys, found, strict=True))
        self._taken: set[str] = set()

    def of(self, keys: Sequence[str]) -> list[Any]:
        found, taken = self._found, self._taken
        values = []
        for key in keys:
            value = found[key]
            if type(value) not in _SHARED:
                if key in taken and not is_unchangeable(value):
                    value = Snapshot(value).get()
                taken.add(key)
            values.append(value)
        return values
