"""Servers that follow the primary, read from while they are not too far behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.sql.session import BoundedSession
from infrastructure.connections.database.sql.transactions import Isolation
from infrastructure.errors import (
    AuthenticationError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    UnavailableError,
)
from infrastructure.observability.logging import get_logger
from infrastructure.resilience import SingleFlight, deadline

if TYPE_CHECKING:
    from infrastructure.connections.database.postgres.manager import PostgresConnectionManager

_log = get_logger(__name__)
#: The longest that a reader waits to learn how far a replica is behind.
_ASK_SECONDS = 1.0
#: How long one is left alone that gave no answer.
_PAUSE_SECONDS = 5.0
#: A replay that was in the way of a reader among them.
_OF_THE_REPLICA = (AuthenticationError, NotFoundError, TransactionConflictError)
#: A replica that has replayed as far as the primary had written is not behind, however long ago
#: the last transaction was; that it has replayed all it has received says nothing, for it may
#: have lost the primary. Else it has all that was committed up to the last one it replayed.
_BEHIND = """
SELECT pg_is_in_recovery() AS follows,
  pg_last_wal_replay_lsn() >= CAST(CAST(:position AS text) AS pg_lsn) AS has_all,
  CAST(extract(epoch FROM CAST(:now AS timestamptz) - pg_last_xact_replay_timestamp())
    AS double precision) AS behind_seconds
"""


class Replica:
    """One of them, and how old its data are at most."""

    def __init__(self, manager: "PostgresConnectionManager") -> None:
        self.manager = manager
        self._as_of = float("-inf")
        self._left_alone_until = 0.0
        self._asking: SingleFlight[None] = SingleFlight()

    def is_fresh(self, seconds: float) -> bool:
        """Whether its data are surely not older than that."""
        return time.monotonic() - self._as_of <= seconds

    async def is_usable(self, primary: "PostgresConnectionManager", seconds: float) -> bool:
        """As `is_fresh`; it is asked where that is not known, by one caller for all."""
        if time.monotonic() < self._left_alone_until:
            return False
        if not self.is_fresh(seconds):
            await self._asking.do("", lambda: self._ask(primary))
        return self.is_fresh(seconds)

    def leave_alone(self, error: InfrastructureError) -> None:
        """It failed; unless it was the work of others, it is not read from for a while."""
        if isinstance(error, TransactionConflictError):
            return
        self._as_of = float("-inf")
        self._left_alone_until = time.monotonic() + _PAUSE_SECONDS
        _log.warning("replica left alone", where=self.manager.name, reason=str(error))

    async def _ask(self, primary: "PostgresConnectionManager") -> None:
        asked_at = time.monotonic()
        position = await primary.written_up_to()
        try:
            async with deadline(_ASK_SECONDS, self.manager.name):
                (found,) = await self.manager.execute_query(_BEHIND, position)
            if not found["follows"]:
                raise RejectedError(
                    "is no replica: it follows nobody",
                    where=self.manager.name,
                    hint="Take it out of `replicas`.",
                )
        except InfrastructureError as error:
            self.leave_alone(error)
            return
        behind = 0.0 if found["has_all"] else found["behind_seconds"]
        self._as_of = float("-inf") if behind is None else asked_at - max(0.0, behind)


class Replicas:
    """Those of one primary, in turn; each has a pool of its own.

    Args:
        primary: Who is asked how far it has come; where it gives no answer, nobody is read from.
    """

    def __init__(self, primary: "PostgresConnectionManager") -> None:
        self._primary = primary
        self._all: tuple[Replica, ...] = ()
        self._turns = count()

    def open(self) -> None:
        """Have a manager for each; it connects when it is first read from."""
        primary = self._primary
        for replica in self._all:  # not closed: of an event loop that is gone
            for connection in replica.manager._connections:  # noqa: SLF001 - as a manager does its own
                replica.manager.driver.abandon(connection)
        self._all = tuple(
            Replica(type(primary)(settings, name=f"{primary.name}.replicas.{number}"))
            for number, settings in enumerate(primary.settings.of_replicas())
        )
        for replica in self._all:
            replica.manager.credentials = primary.credentials

    async def close(self) -> None:
        """Close them for good, under those who still read from them."""
        replicas, self._all = self._all, ()
        for replica in replicas:
            replica.manager.is_retired = True  # who has chosen it is not to open it again
        await asyncio.gather(*(replica.manager._closed() for replica in replicas))  # noqa: SLF001 - the primary's drain is theirs

    async def execute_query(
        self, sql: str, params: Mapping[str, Any] | None
    ) -> list[dict[str, Any]] | None:
        """The answer of a replica; None where the primary is to be asked."""
        async with self._chosen() as replica:
            if replica is None:
                return None
            try:
                return await replica.manager.execute_query(sql, params)
            except InfrastructureError as error:
                found = _of_reading(error)
                is_passed_by = self._is_passed_by(replica, found)
                if is_passed_by and not isinstance(found, DeadlineExceededError):
                    return None
                raise found from found.__cause__  # or there is no time left for another

    async def session(
        self, ends: AsyncExitStack, isolation: Isolation | None
    ) -> BoundedSession | None:
        """A session of a replica, closed with `ends`; None where the primary is to serve it."""
        if isolation == "serializable":
            return None
        replica: Replica | None = None
        try:
            async with AsyncExitStack() as own:
                replica = await own.enter_async_context(self._chosen())
                if replica is None:
                    return None
                reading = replica.manager.session(isolation=isolation, read_only=True)
                session = await own.enter_async_context(reading)
                await session.connection()
                ends.push_async_exit(own.pop_all())
                return session
        except InfrastructureError as error:
            if replica is None or not self._is_passed_by(replica, error):
                raise
            return None

    @asynccontextmanager
    async def _chosen(self) -> AsyncIterator[Replica | None]:
        """One to read from, and closing the primary waits meanwhile; None where there is none."""
        async with self._primary.held():
            yield await self._usable()

    async def _usable(self) -> Replica | None:
        replicas, turn = self._all, next(self._turns)
        for number in range(len(replicas)):
            replica = replicas[(turn + number) % len(replicas)]
            if await replica.is_usable(self._primary, self._primary.settings.max_lag_seconds):
                return replica
        return None

    def _is_passed_by(self, replica: Replica, error: InfrastructureError) -> bool:
        """Whether the primary is to be asked instead; the replica is left alone for a while."""
        if replica not in self._all or not _is_of_the_replica(error):
            return False
        replica.leave_alone(error)
        return True


def _of_reading(error: InfrastructureError) -> InfrastructureError:
    """What was lost with an answer, of a statement that changes nothing: the answer alone."""
    cause = error.__cause__
    is_known = isinstance(error, OutcomeUnknownError) and isinstance(cause, UnavailableError)
    return cause if is_known else error  # type: ignore[return-value] # it is one of ours


def _is_of_the_replica(error: InfrastructureError) -> bool:
    """Whether the primary might give another answer: a statement it refuses as well."""
    return not isinstance(error, RejectedError) or isinstance(error, _OF_THE_REPLICA)
