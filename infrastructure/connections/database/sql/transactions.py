"""Transactions within transactions, and transactions that are run again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TypeVar

from infrastructure.connections.database.conflicts import (
    TransactionConflictError,
    VersionConflictError,
)
from infrastructure.connections.database.sql.session import BoundedSession
from infrastructure.errors import UnsupportedError
from infrastructure.resilience import ExponentialBackoffStrategy, Retry

ResultT = TypeVar("ResultT")
Isolation = Literal["read committed", "repeatable read", "serializable"]
"""What a transaction sees of the work of others."""

_FIRST_WAIT_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 1.0
#: Who runs beside the loser wins again if it waits a time that both can tell.
_ALL_OF_IT = 1.0


class Sessions(Protocol):
    """What hands out sessions: a SQL connection manager."""

    name: str

    def session(
        self, *, isolation: Isolation | None = None, read_only: bool = False
    ) -> AbstractAsyncContextManager[BoundedSession]:
        """A session, committed at its end."""


class _Open:
    """A transaction that is going on, and those around it."""

    __slots__ = ("manager", "outer", "session", "task")

    def __init__(self, manager: Sessions, session: BoundedSession, outer: "_Open | None") -> None:
        self.manager = manager
        self.session = session
        self.outer = outer
        self.task = asyncio.current_task()


_innermost: ContextVar[_Open | None] = ContextVar("switchgear_transaction", default=None)


@asynccontextmanager
async def joined(
    manager: Sessions, isolation: Isolation | None, *, read_only: bool
) -> AsyncIterator[BoundedSession]:
    """A session of `manager`; within one of the same task, a savepoint of that one.

    Raises:
        UnsupportedError: A savepoint was to have an isolation of its own, or to be read-only.
    """
    outer = _session_of(manager)
    if outer is not None:
        if isolation is not None or read_only:
            raise UnsupportedError(
                "a transaction inside another has the isolation of that one",
                where=manager.name,
                hint="Give it to the outermost transaction, or use session().",
            )
        async with outer.savepoint() as session:
            yield session
        return
    async with manager.session(isolation=isolation, read_only=read_only) as session:
        token = _innermost.set(_Open(manager, session, _innermost.get()))
        try:
            yield session
        finally:
            with suppress(ValueError):  # a generator closed by another task than it ran in
                _innermost.reset(token)


async def run_again(
    manager: Sessions,
    work: Callable[[BoundedSession], Awaitable[ResultT]],
    isolation: Isolation | None,
    max_attempts: int,
) -> ResultT:
    """Run `work` in a session of its own, as a whole and again while others are in its way."""

    async def attempt() -> ResultT:
        async with manager.session(isolation=isolation) as session:
            return await work(session)

    retry = Retry(
        max_attempts,
        ExponentialBackoffStrategy(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, jitter=_ALL_OF_IT),
        retry_on=(TransactionConflictError, VersionConflictError),
        dependency=manager.name,
        name=f"{manager.name}.transact",
    )
    result: Any = await retry.run(attempt)
    return result  # type: ignore[no-any-return] # what the work gave


def _session_of(manager: Sessions) -> BoundedSession | None:
    """The transaction of `manager` that the running task is in."""
    task, one = asyncio.current_task(), _innermost.get()
    while one is not None:
        if one.manager is manager and one.task is task:
            return one.session
        one = one.outer
    return None
