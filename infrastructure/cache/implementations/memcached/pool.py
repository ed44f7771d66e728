"""A bounded number of connections to one memcached server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from infrastructure.cache.implementations.memcached.line import Line
from infrastructure.connections.tls import tls_failure
from infrastructure.errors import (
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)

T = TypeVar("T")

_CUT = (OSError, EOFError)  # the second is what a stream says at half an answer


class MemcachedPool:
    """Lends a line for one talk at a time.

    A line whose talk was cancelled or failed is cut, so that no answer reaches the next talk.

    Args:
        open_line: Makes a connection.
        max_connections: Bound on connections; further callers wait.
        wait_seconds: How long they wait.
        server: Names it in errors.
        where: The provider path for errors.

    Attributes:
        opened: How many connections were made so far.
    """

    def __init__(
        self,
        open_line: Callable[[], Awaitable[Line]],
        *,
        max_connections: int,
        wait_seconds: float,
        server: str,
        where: str,
    ) -> None:
        self.opened = 0
        self._open_line = open_line
        self._wait_seconds = wait_seconds
        self._server = server
        self._where = where
        self._free = asyncio.Semaphore(max_connections)
        self._idle: list[Line] = []

    def close(self) -> None:
        """Cut what nobody uses; what is used is cut when it comes back."""
        self._free = asyncio.Semaphore(0)
        while self._idle:
            self._idle.pop().drop()

    async def use(self, talk: Callable[[Line], Awaitable[T]], lines: list[Line]) -> T:
        """Talk over a line; the caller bounds it.

        When a line turns out to have been cut while it was idle, the talk is begun anew, unless
        something that must not be sent twice was sent.

        Args:
            talk: What is said.
            lines: Filled with the line that is talked over.

        Raises:
            UnavailableError: There is no connection, or it was cut.
            OverloadedError: No line was free in time.
            OutcomeUnknownError: Something was sent that must not be sent twice, and not answered.
        """
        try:
            return await self._talk(talk, lines)
        except _CUT as error:
            raise_doubt(lines, error, self._where)
            what = f"no connection to {self._server} ({type(error).__name__})"
            said = tls_failure(error, self._server, self._where)
            raise said or UnavailableError(what, where=self._where) from error

    async def _talk(self, talk: Callable[[Line], Awaitable[T]], lines: list[Line]) -> T:
        free = self._free
        await self._enter(free)
        try:
            while self._idle:
                lines[:] = [self._idle.pop()]
                if not lines[0].is_usable:
                    lines[0].drop()
                    continue
                try:
                    return await self._on(lines[0], talk)
                except _CUT:
                    if lines[0].in_doubt:
                        raise
            lines[:] = []
            lines.append(await self._open_line())
            self.opened += 1
            return await self._on(lines[0], talk)
        finally:
            free.release()

    async def _on(self, line: Line, talk: Callable[[Line], Awaitable[T]]) -> T:
        free = self._free
        try:
            return await talk(line)
        finally:
            if line.is_usable and free is self._free:
                self._idle.append(line)
            else:
                line.drop()

    async def _enter(self, free: asyncio.Semaphore) -> None:
        if not free.locked():
            await free.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                await free.acquire()
        except TimeoutError as error:
            what = f"all connections were in use for {self._wait_seconds:g} s"
            hint = "Raise max_connections."
            raise OverloadedError(what, where=self._where, hint=hint) from error


def raise_doubt(lines: list[Line], error: Exception, where: str) -> None:
    """Say so when what failed may have been applied.

    Raises:
        OutcomeUnknownError: Something was sent that must not be sent twice, and not answered.
    """
    if lines and lines[0].in_doubt:
        what = "the command was sent and no answer came; it may have been applied"
        raise OutcomeUnknownError(what, where=where) from error
