"""Locks that the server keeps: one holder for each key in a database."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from infrastructure.connections.database.sql.session import BoundedSession
from infrastructure.errors import (
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from infrastructure.connections.database.postgres.manager import PostgresConnectionManager

#: Locks of a transaction: they end with it in every way it may end, and PgBouncer knows them.
#: One that only holds a lock keeps no old rows alive, so it may stay open without work.
_TRY = (
    "SELECT set_config('idle_in_transaction_session_timeout', '0', true),"
    " pg_try_advisory_xact_lock(:key) AS is_ours"
)
#: Waits in the queue of the server, which is fair.
_WAIT = "SELECT set_config('lock_timeout', :wait, true), pg_advisory_xact_lock(:key)"
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


@asynccontextmanager
async def holding(
    manager: "PostgresConnectionManager", key: str | int, wait_seconds: float
) -> AsyncIterator[None]:
    """Hold the lock around the body, by a transaction on a connection of the pool."""
    number = _number(key, manager.name)
    async with manager.session() as session:
        if not await _had(session, number, wait_seconds):
            raise OverloadedError(
                f"lock '{key}' was not had within {wait_seconds:g} s", where=manager.name
            )
        yield
        try:
            await session.commit()
        except (OutcomeUnknownError, UnavailableError) as error:
            raise UnavailableError(
                f"lock '{key}' was lost while it was held",
                where=manager.name,
                hint="Somebody else may have held it meanwhile; see what was done under it.",
            ) from error


async def _had(session: BoundedSession, number: int, wait_seconds: float) -> bool:
    """Whether the lock was had in time; each wait ends before the deadline of a call."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_seconds
    longest = session.component.settings.longest_wait_seconds()
    while True:
        (row,) = await session.execute_query(_TRY, {"key": number})
        left = until - loop.time()
        if row["is_ours"] or left <= 0:
            return bool(row["is_ours"])
        wait = f"{max(1.0, 1000 * min(left, longest)):.0f}ms"
        try:
            await session.execute_query(_WAIT, {"key": number, "wait": wait})
        except OverloadedError:  # 55P03: not within that time, and the transaction is over
            await session.rollback()
        else:
            return True


def _number(key: str | int, where: str) -> int:
    """The same for the same key, in every process.

    Raises:
        RejectedError: It is no number of 64 bits.
    """
    if isinstance(key, str):
        return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)
    if not _LOWEST <= key <= _HIGHEST:
        raise RejectedError(f"lock {key} is no number of 64 bits", where=where)
    return key
