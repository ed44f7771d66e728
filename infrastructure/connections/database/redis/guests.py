"""What lives on a connection for longer than a call, and hears when it is closed or changed."""

import asyncio
from abc import ABC, abstractmethod


class Guest(ABC):
    """A subscription, a reader of a stream or a held lock."""

    __slots__ = ()

    @abstractmethod
    async def end(self) -> None:
        """The connection is being closed; must not fail."""

    async def move(self) -> None:  # noqa: B027 - most use the connection for each call anew
        """The servers or the credentials are others now."""


class Guests:
    """Those of one connection manager; each is told in the event loop it lives in."""

    def __init__(self) -> None:
        self._loops: dict[Guest, asyncio.AbstractEventLoop] = {}

    def admit(self, guest: Guest) -> None:
        """Tell it from now on."""
        self._loops[guest] = asyncio.get_running_loop()

    def dismiss(self, guest: Guest) -> None:
        """Tell it no more; harmless when it was not told."""
        self._loops.pop(guest, None)

    async def end(self) -> None:
        """Tell all that the connection is being closed."""
        here = asyncio.get_running_loop()
        for guest in self._here():
            self.dismiss(guest)
            await guest.end()
        # those of loops that have ended go untold; who came meanwhile is told the next time
        self._loops = {guest: home for guest, home in self._loops.items() if home is here}

    async def move(self) -> None:
        """Tell all that it has changed."""
        for guest in self._here():
            await guest.move()

    def _here(self) -> list[Guest]:
        loop = asyncio.get_running_loop()
        return [guest for guest, home in self._loops.items() if home is loop]
