"""How a connection is closed under its users: calls in flight end, new ones wait or are refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from infrastructure.errors import UnavailableError
from infrastructure.resilience import deadline

if TYPE_CHECKING:
    from infrastructure.connections.base import AsyncBaseConnectionManager


class Drain:
    """Counts the calls in flight, and holds new ones back while the connection is changed.

    Args:
        manager: Whose calls; `timeout_seconds` of its settings is the longest wait of a new one.

    Attributes:
        in_flight: How many calls are going on.
    """

    __slots__ = ("_closers", "_manager", "_open", "_waiting", "in_flight")

    def __init__(self, manager: "AsyncBaseConnectionManager") -> None:
        self._manager = manager
        self.in_flight = 0
        self._closers = 0
        self._waiting: set[Callable[[], None]] = set()
        self._open: asyncio.Event | None = None

    @property
    def is_closing(self) -> bool:
        """Whether somebody is closing it, so that new calls are refused."""
        return self._closers > 0

    async def begin(self) -> None:
        """Count a call, once new ones may begin.

        Raises:
            UnavailableError: The connection is being closed, or is being changed for longer.
        """
        if self._open is not None:
            async with deadline(self._manager.settings.timeout_seconds, self._manager.name):
                await self._goes_on()
        if self._closers:
            raise UnavailableError("is being closed", where=self._manager.name)
        self.in_flight += 1

    def end(self) -> None:
        """A call is over."""
        self.in_flight -= 1
        if self._waiting and not self.in_flight:
            for wake in tuple(self._waiting):
                wake()

    @asynccontextmanager
    async def closing(self, seconds: float) -> AsyncIterator[None]:
        """Refuse new calls until the body ends; it begins when those in flight are over.

        Args:
            seconds: The longest wait for them.
        """
        self._closers += 1
        try:
            await self._drained(seconds)
            yield
        finally:
            self._closers -= 1

    @asynccontextmanager
    async def pausing(self, seconds: float) -> AsyncIterator[None]:
        """As `closing`, and new calls wait instead."""
        await self._goes_on()
        gate = self._open = asyncio.Event()
        try:
            await self._drained(seconds)
            yield
        finally:
            self._open = None
            gate.set()

    async def _goes_on(self) -> None:
        while self._open is not None:
            await self._open.wait()

    async def _drained(self, seconds: float) -> None:
        loop, empty = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # who closes may be in another loop, which may be gone
                loop.call_soon_threadsafe(empty.set)

        self._waiting.add(wake)
        try:
            if self.in_flight:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await empty.wait()
        finally:
            self._waiting.discard(wake)
