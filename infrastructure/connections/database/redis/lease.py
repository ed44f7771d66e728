"""A right that ends unless it is renewed; what is done under it is cut when it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from infrastructure.errors import InfrastructureError, OutcomeUnknownError

LONGEST_LEASE_SECONDS: Final = 86_400.0
#: It is renewed so many times before it would end.
_RENEWALS: Final = 3
_AGAIN: Final = 10
#: It ends here before it ends at the server: clocks differ, and to stop takes a moment.
_SHARE: Final = 0.95


class LeaseLostError(OutcomeUnknownError):
    """A right ended while work was done under it: the work may be half done."""


class Lease:
    """A right of `seconds`, counted from before it was asked for.

    Args:
        seconds: How long it is good without being renewed.
        what: Whose right it is, for the error.
        where: The provider path, for the error.
    """

    __slots__ = ("_cut", "_is_lost", "_loop", "_until", "_what", "_where", "seconds")

    def __init__(self, seconds: float, what: str, where: str) -> None:
        self.seconds = seconds
        self._what = what
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._is_lost = False
        self._cut: asyncio.Timeout | None = None

    @property
    def is_held(self) -> bool:
        """Whether it is good now, as far as can be known without asking."""
        return self._loop.time() < self._until

    def renew(self, asked_at: float) -> None:
        """It is good again, from when that was asked for, by the loop's time; not once lost."""
        if not self._is_lost:
            self._move(asked_at + self.seconds * _SHARE)

    def lose(self) -> None:
        """It is over: somebody else has it, or it is not renewed any more."""
        self._is_lost = True
        self._move(0.0)

    def check(self) -> None:
        """Harmless while it is held.

        Raises:
            LeaseLostError: It has ended.
        """
        if not self.is_held:
            raise self._lost()

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Around the work: cancelled when the right ends.

        Raises:
            LeaseLostError: It was.
        """
        try:
            async with asyncio.timeout_at(self._until) as cut:
                self._cut = cut
                yield
        except TimeoutError as error:
            if not cut.expired():
                raise
            raise self._lost() from error
        finally:
            self._cut = None

    def _move(self, until: float) -> None:
        self._until = until
        if self._cut is not None and not self._cut.expired():
            self._cut.reschedule(until)

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(
            f"{self._what} was not held to the end",
            where=self._where,
            hint="It was not renewed in time, or somebody took it; look at what is done already.",
        )


async def keep_renewing(seconds: float, renew: Callable[[float], Awaitable[bool]]) -> None:
    """Renew in time until there is nothing to renew; what fails is soon tried again.

    Args:
        seconds: How long a right is good without being renewed.
        renew: Is given the loop's time before it asks; says whether there is more to renew.
    """
    loop, pause = asyncio.get_running_loop(), seconds / _RENEWALS
    wait = pause
    while True:
        await asyncio.sleep(wait)
        try:
            async with asyncio.timeout(pause):
                if not await renew(loop.time()):
                    return
        except (InfrastructureError, TimeoutError):
            wait = seconds / _AGAIN
        else:
            wait = pause
