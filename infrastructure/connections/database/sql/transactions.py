"""Transactions within transactions, and transactions that are run again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from threading import get_ident
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

    __slots__ = ("manager", "outer", "runner", "session")

    def __init__(self, manager: Any, session: Any, outer: "_Open | None") -> None:
        self.manager = manager
        self.session = session
        self.outer = outer
        self.runner = _runner()


_innermost: ContextVar[_Open | None] = ContextVar("switchgear_transaction", default=None)


@contextmanager
def going_on(manager: Any, session: Any) -> Iterator[None]:
    """Around the body of a transaction: those that begin in it are savepoints of `session`."""
    one = _Open(manager, session, _last())
    _innermost.set(one)
    try:
        yield
    finally:
        one.manager = one.session = None
        _innermost.set(_last())  # one that ends out of turn leaves those that go on


def outer_of(manager: Any, *, is_plain: bool) -> Any:
    """The session of the transaction of `manager` that goes on here; None where none does.

    A context that was copied brings along those of other tasks and threads.

    Args:
        manager: Whose.
        is_plain: Whether the one to begin has no wishes of its own.

    Raises:
        UnsupportedError: It has, and there is one.
    """
    here, one = _runner(), _innermost.get()
    while one is not None and (one.manager is not manager or one.runner != here):
        one = one.outer
    if one is None:
        return None
    if not is_plain:
        raise UnsupportedError(
            "a transaction inside another has the isolation of that one",
            where=manager.name,
            hint="Give it to the outermost transaction, or use session().",
        )
    return one.session


def _last() -> _Open | None:
    """The innermost that is not over."""
    one = _innermost.get()
    while one is not None and one.manager is None:
        one = one.outer
    return one


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


def _runner() -> tuple[int, Any]:
    """The thread, and the task it runs where it runs any."""
    try:
        return get_ident(), asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return get_ident(), None
