"""Connections to one server: bounded, waited for in order, dropped all at once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from infrastructure.connections.base import PoolStats
from infrastructure.connections.redis_errors import is_answer, is_cut, pool_exhausted
from infrastructure.connections.redis_line import Command, Line
from infrastructure.errors import UnavailableError


class Call:
    """One command on its way, and whether it may have been applied.

    Attributes:
        command: The command and its arguments.
        key: Decides the server in a cluster; empty when any will do.
        may_repeat: Applied twice, it does no harm; only then it is ever sent twice.
        in_doubt: It was sent and not refused: it may have been applied, or was.
    """

    __slots__ = ("command", "in_doubt", "key", "may_repeat")

    def __init__(self, *command: Any, key: str = "", may_repeat: bool = False) -> None:
        self.command: Command = command
        self.key = key
        self.may_repeat = may_repeat
        self.in_doubt = False


class RedisPool:
    """At most `limit` lines, for which callers wait in order, at most `wait_seconds`.

    Attributes:
        waiting: Callers that wait for a line now.
        exhausted: How many callers waited in vain so far.
        repeats: How many exchanges were sent a second time so far.
    """

    def __init__(
        self,
        open_line: Callable[[], Awaitable[Line]],
        *,
        limit: int,
        wait_seconds: float,
        where: str,
    ) -> None:
        self._open_line = open_line
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._where = where
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self._stale: set[Line] = set()
        self._slots_taken = 0
        self._is_closed = False
        self._drops = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.exhausted = 0
        self.repeats = 0

    @property
    def waiting(self) -> int:
        """Callers that wait for a line now."""
        return len(self._waiters)

    def stats(self) -> PoolStats:
        """How many lines there are."""
        idle = sum(not line.is_dead for line in self._idle)
        return PoolStats(idle + len(self._busy), len(self._busy), self._limit)

    async def run(self, calls: Sequence[Call], *, before: Command | None = None) -> list[Any]:
        """Send the calls in one go and give their answers, refusals among them.

        A line that had been idle may die between a look at it and the command. When every call
        may be repeated, they are sent once more then; a second time they would fare no better.

        Args:
            calls: What to send.
            before: A command to send first on the same line, its answer dropped.
        """
        line = await self.take()
        try:
            return await self._exchange(line, calls, before)
        except Exception as error:
            is_worn = line.uses > 1
            if not (is_worn and is_cut(error) and all(call.may_repeat for call in calls)):
                raise
        finally:
            self.give_back(line)
        self.repeats += 1
        return await self._on_another_line(calls, before)

    async def take(self) -> Line:
        """A living line, to be given back.

        Raises:
            OverloadedError: None became free in time.
            UnavailableError: The pool is closed.
        """
        await self._take_slot()
        try:
            line = self._living() or await self._opened()
        except BaseException:
            self._free_slot()
            raise
        self._busy.add(line)
        return line

    def give_back(self, line: Line) -> None:
        """Let the next caller have the line; a dead one, or one of a dropped pool, is closed."""
        self._busy.discard(line)
        if line in self._stale or self._is_closed or line.is_dead:
            self._stale.discard(line)
            line._close()  # type: ignore[no-untyped-call]  # noqa: SLF001 - the vendor's only close that waits for nothing
        else:
            self._idle.append(line)
        self._free_slot()

    async def warm(self, count: int) -> None:
        """Open lines so that there are `count`."""
        lines: list[Line] = []
        try:
            for _ in range(count - len(self._idle) - len(self._busy)):
                lines.append(await self.take())  # noqa: PERF401 - what was taken is given back on errors
        finally:
            for line in lines:
                self.give_back(line)

    async def drop(self) -> None:
        """Close what is idle, and each line in use as soon as it is given back."""
        self._drops += 1
        self._stale |= self._busy
        idle, self._idle = self._idle, []
        for line in idle:
            await line.cut()

    async def retire(self) -> None:
        """Let the calls under way end, and open no line any more."""
        self._is_closed = True
        await self.drop()

    async def close(self) -> None:
        """Close every line, those in use too, and open none any more; their calls fail."""
        self._is_closed = True
        self._drops += 1
        idle, self._idle = self._idle, []
        self._stale |= self._busy
        for line in self._busy:
            await line.cut()
        try:
            await asyncio.gather(*(line.disconnect() for line in idle))
        finally:  # who is cancelled here may have begun none of it
            for line in idle:
                line._close()  # type: ignore[no-untyped-call]  # noqa: SLF001 - as in give_back

    async def _on_another_line(self, calls: Sequence[Call], before: Command | None) -> list[Any]:
        line = await self.take()
        try:
            return await self._exchange(line, calls, before)
        finally:
            self.give_back(line)

    async def _exchange(
        self, line: Line, calls: Sequence[Call], before: Command | None
    ) -> list[Any]:
        commands = [call.command for call in calls]
        _doubt(calls, is_open=True)
        try:
            if before is None:
                answers = await line.exchange(commands)
            else:
                answers = (await line.exchange([before, *commands]))[1:]
        except Exception as error:
            _doubt(calls, is_open=not is_answer(error))
            raise
        for call, answer in zip(calls, answers, strict=True):
            call.in_doubt = not isinstance(answer, Exception)
        return answers

    async def _opened(self) -> Line:
        """A new line; one that was being opened when the pool was dropped is not kept."""
        while not self._is_closed:
            drops = self._drops
            line = await self._open_line()
            if drops == self._drops:
                return line
            await line.cut()
        raise UnavailableError("the connections were closed", where=self._where)

    def _living(self) -> Line | None:
        while self._idle:
            line = self._idle.pop()
            if not line.is_dead:
                return line
            line._close()  # type: ignore[no-untyped-call]  # noqa: SLF001 - as in give_back
        return None

    async def _take_slot(self) -> None:
        if self._slots_taken < self._limit:
            self._slots_taken += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiter
        except BaseException as error:
            self._leave_queue(waiter)
            if not isinstance(error, TimeoutError):
                raise
            self.exhausted += 1
            raise pool_exhausted(self._where) from error

    def _leave_queue(self, waiter: "asyncio.Future[None]") -> None:
        """Whoever leaves passes on a slot that was given to it at the last moment."""
        if waiter.done() and not waiter.cancelled():
            self._free_slot()
        elif waiter in self._waiters:
            self._waiters.remove(waiter)

    def _free_slot(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._slots_taken -= 1


def _doubt(calls: Sequence[Call], *, is_open: bool) -> None:
    for call in calls:
        call.in_doubt = is_open
