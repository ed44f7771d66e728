"""A bound on requests at a time, and on the wait for one's turn."""

import asyncio

from infrastructure.errors import OverloadedError


class Slots:
    """`async with slots:` around a request; for one that ends elsewhere, `take` and `free`.

    Args:
        limit: The most at a time.
        wait_seconds: The longest wait for one.
        where: The provider path, for errors.

    Attributes:
        in_use: How many are taken now.
    """

    def __init__(self, limit: int, wait_seconds: float, where: str) -> None:
        self.limit = limit
        self.in_use = 0
        self._wait_seconds = wait_seconds
        self._where = where
        self._turns = asyncio.Semaphore(limit)

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(self, *_: object) -> None:
        self.free()

    async def take(self) -> None:
        """Wait for one.

        Raises:
            OverloadedError: All stayed in use.
        """
        if not self._turns.locked():  # then there is nothing to wait for
            await self._turns.acquire()
        else:
            await self._wait()
        self.in_use += 1

    def free(self) -> None:
        """Give one back."""
        self.in_use -= 1
        self._turns.release()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turns.acquire()
        except TimeoutError as error:
            raise OverloadedError(
                f"all {self.limit} connections stayed in use for {self._wait_seconds:g} s",
                where=self._where,
                hint="Raise max_connections, or end streams sooner.",
            ) from error
