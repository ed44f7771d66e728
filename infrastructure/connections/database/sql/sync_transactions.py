"""Transactions within transactions, in threads."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from threading import get_ident
from typing import Any, Protocol

from infrastructure.connections.database.sql.sync_session import SyncBoundedSession
from infrastructure.connections.database.sql.transactions import Isolation
from infrastructure.errors import UnsupportedError


class SyncSessions(Protocol):
    """What hands out sessions: the sync twin of a SQL connection manager."""

    name: str

    def session(
        self, *, isolation: Isolation | None = None
    ) -> AbstractContextManager[SyncBoundedSession]:
        """A session, committed at its end."""


class _Open:
    """A transaction that is going on, and those around it."""

    __slots__ = ("manager", "outer", "runner", "session")

    def __init__(
        self, manager: SyncSessions, session: SyncBoundedSession, outer: "_Open | None"
    ) -> None:
        self.manager = manager
        self.session = session
        self.outer = outer
        self.runner = _runner()


_innermost: ContextVar[_Open | None] = ContextVar("switchgear_sync_transaction", default=None)


@contextmanager
def joined(manager: SyncSessions, isolation: Isolation | None) -> Iterator[SyncBoundedSession]:
    """A session of `manager`; within one of the same thread, a savepoint of that one.

    Raises:
        UnsupportedError: A savepoint was to have an isolation of its own.
    """
    outer = _session_of(manager)
    if outer is not None:
        if isolation is not None:
            raise UnsupportedError(
                "a transaction inside another has the isolation of that one",
                where=manager.name,
                hint="Give it to the outermost transaction, or use session().",
            )
        with outer.savepoint() as session:
            yield session
        return
    with manager.session(isolation=isolation) as session:
        token = _innermost.set(_Open(manager, session, _innermost.get()))
        try:
            yield session
        finally:
            with suppress(ValueError):  # a generator that is ended in another context
                _innermost.reset(token)


def _session_of(manager: SyncSessions) -> SyncBoundedSession | None:
    """The transaction of `manager` that is going on here; a copied context brings others' along."""
    here, one = _runner(), _innermost.get()
    while one is not None:
        if one.manager is manager and one.runner == here:
            return one.session
        one = one.outer
    return None


def _runner() -> tuple[int, Any]:
    """The thread, and the task it runs where it runs any."""
    try:
        return get_ident(), asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return get_ident(), None
