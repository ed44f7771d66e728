"""Reads of one turn of the event loop, sent as one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from infrastructure.cache.entries import Missing
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

    def read(self, keys: Sequence[str]) -> Awaitable[list[Any]]:
        """The values in the order of `keys`; no two readers share an object that can change.

        To be awaited at once: who joins is given a bare future, since a coroutine for each of
        many readers costs as much as the rest.
        """
        batch = self._open
        if batch is not None and batch.has_room(len(keys)):
            return batch.join(keys)
        return self._lead(keys)

    async def _lead(self, keys: Sequence[str]) -> list[Any]:
        batch = self._open
        if batch is not None and batch.has_room(len(keys)):  # opened since it was called
            return await batch.join(keys)
        batch = self._open = _Batch(keys)
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
            return batch.land(found, keys)
        except Exception as error:
            batch.fail(error)
            raise
        except BaseException:
            self._close(batch)
            self._hand_over(batch)
            raise

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
                batch.land(await self._read([*batch.keys]))
        except Exception as error:  # noqa: BLE001 - it goes to every reader that waits
            batch.fail(error)
        finally:
            batch.cancel()


class _Batch:
    """What one turn asks for.

    Attributes:
        keys: Each of them once.
        waiting: Who waits, but for the first reader, and which keys each of these wants.
    """

    __slots__ = ("_wanted_twice", "began", "keys", "loop", "waiting")

    def __init__(self, keys: Sequence[str]) -> None:
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.keys: dict[str, None] = dict.fromkeys(keys)
        self.waiting: list[tuple[asyncio.Future[list[Any]], Sequence[str]]] = []
        self._wanted_twice = set(keys) if len(self.keys) < len(keys) else set()

    def has_room(self, count: int) -> bool:
        """Whether so many more keys may join, in this event loop."""
        is_room = len(self.keys) + count <= _MOST_KEYS
        return is_room and self.loop is asyncio.get_running_loop()

    def has_waiting(self) -> bool:
        return not all(future.done() for future, _ in self.waiting)

    def join(self, keys: Sequence[str]) -> "asyncio.Future[list[Any]]":
        future: asyncio.Future[list[Any]] = self.loop.create_future()
        asked = self.keys
        for key in keys:
            if key in asked:
                self._wanted_twice.add(key)
            else:
                asked[key] = None
        self.waiting.append((future, keys))
        return future

    def land(self, found: list[Any], own: Sequence[str] = ()) -> list[Any]:
        """Give everyone who waits what was found; what is for `own` is given back."""
        values = dict(zip(self.keys, found, strict=True))
        pick = self._picker(values)
        mine = [*map(pick, own)]
        for future, keys in self.waiting:
            if not future.done():
                future.set_result([*map(pick, keys)])
        return mine

    def _picker(self, values: dict[str, Any]) -> Callable[[str], Any]:
        """Gives the value of a key; of what can change and is wanted twice, a copy each time."""
        snapshots = {
            key: Snapshot(value)
            for key in self._wanted_twice
            if type(value := values[key]) not in _SHARED and not is_unchangeable(value)
        }
        if not snapshots:
            return values.__getitem__
        return lambda key: snapshots[key].get() if key in snapshots else values[key]

    def fail(self, error: Exception) -> None:
        for future, _ in self.waiting:
            if not future.done():
                future.set_exception(error)

    def cancel(self) -> None:
        for future, _ in self.waiting:
            future.cancel()
