"""Counts what a manager of an AWS service sends, and tells when it does."""

import asyncio
from typing import Any

from infrastructure.connections.external.aws.manager import AwsConnectionManager


class RequestsSent:
    """Listens from now on.

    Args:
        manager: Connected.
        operation: As the driver calls it, such as `s3.PutObject`.

    Attributes:
        count: Requests so far.
    """

    def __init__(self, manager: AwsConnectionManager, operation: str) -> None:
        self.count = 0
        self._more = asyncio.Event()
        manager.client.meta.events.register(f"before-send.{operation}", self._note)

    async def reach(self, count: int) -> None:
        """Wait until there were so many."""
        while self.count < count:
            self._more.clear()
            await self._more.wait()

    def _note(self, **_: Any) -> None:
        self.count += 1
        self._more.set()
