"""What is told on a channel, and where some of it may have been missed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infrastructure.connections.database.gaps import Gap
from infrastructure.errors import (
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.resilience import ExponentialBackoffStrategy

if TYPE_CHECKING:
    from infrastructure.connections.database.postgres.manager import PostgresConnectionManager

#: The server cuts longer names, and would hear another channel.
_MOST_BYTES = 63
_waits = ExponentialBackoffStrategy(0.05, 2.0)


@dataclass(frozen=True, slots=True)
class Notification:
    """What was told.

    Attributes:
        channel: Where.
        payload: What; empty when there was none.
    """

    channel: str
    payload: str


def heard(
    manager: "PostgresConnectionManager", channel: str
) -> AsyncGenerator[Notification | Gap, None]:
    """Notifications and gaps, until the manager is closed."""
    if manager.settings.pgbouncer:
        raise UnsupportedError(
            "notifications do not come through PgBouncer",
            where=manager.name,
            hint="Listen on a connection whose address is the server's own.",
        )
    if not 0 < len(channel.encode()) <= _MOST_BYTES:
        raise RejectedError(
            f"the channel '{channel}' is empty or longer than {_MOST_BYTES} bytes",
            where=manager.name,
        )
    return _heard(manager, channel)


async def _heard(
    manager: "PostgresConnectionManager", channel: str
) -> AsyncGenerator[Notification | Gap, None]:
    closings, failures = manager.closings, 0
    idle_seconds = manager.settings.timeout_seconds
    while manager.closings == closings:
        try:
            async with manager.own_connection() as connection:
                async with manager.bounded():
                    payloads = await manager.driver.subscribe(connection, channel, idle_seconds)
                async with aclosing(payloads):
                    failures = 0
                    yield Gap()
                    async for payload in payloads:
                        yield Notification(channel, payload)
            error: UnavailableError | OverloadedError = UnavailableError(
                "the listening connection was lost", where=manager.name
            )
        except (UnavailableError, OverloadedError) as lost:
            error = lost
        if manager.closings == closings:
            manager.note_failure(error)
            failures += 1
            await asyncio.sleep(_waits(1 + failures))
