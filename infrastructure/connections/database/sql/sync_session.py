"""The session that the sync twin of a SQL connection manager hands out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from infrastructure.connections.database.sql.session import ends_outer, outcome_unknown
from infrastructure.connections.database.sql.statements import rows_of
from infrastructure.connections.sync_base import BaseConnectionManager
from infrastructure.connections.sync_calls import seconds_left
from infrastructure.errors import UnavailableError
from infrastructure.observability.telemetry import hook
from infrastructure.operations import observing
from infrastructure.resilience.deadlines import Deadline

#: What undoing has at least, also behind a deadline: without an answer to it the connection, and
#: what goes on around, would be lost.
_LEAST_SECONDS = 0.5
ResultT = TypeVar("ResultT")
ParamsT = ParamSpec("ParamsT")


def _bounded(
    operation: str,
) -> Callable[
    [Callable[Concatenate[Any, ParamsT], ResultT]], Callable[Concatenate[Any, ParamsT], ResultT]
]:
    """Make a method a bounded call; one that it makes of the same session belongs to it."""

    def decorated(
        call: Callable[Concatenate[Any, ParamsT], ResultT],
    ) -> Callable[Concatenate[Any, ParamsT], ResultT]:
        @wraps(call)
        def bounded(
            self: "SyncBoundedSession", /, *args: ParamsT.args, **kwargs: ParamsT.kwargs
        ) -> ResultT:
            if self.is_called:
                return call(self, *args, **kwargs)
            self.is_called = True
            try:
                if not hook.on:
                    with self.manager.bounded():
                        return call(self, *args, **kwargs)
                with observing(self.manager, operation), self.manager.bounded():
                    return call(self, *args, **kwargs)
            finally:
                self.is_called = False

        return bounded

    return decorated


class SyncBoundedSession(Session):
    """A SQLAlchemy session each of whose calls has a deadline and raises our errors.

    As any session, it is for one thread at a time.

    Args:
        engine: Where it takes its connection from, at the first statement.
        manager: Whose bounds its calls have, and what listeners are told that they are made on.

    Attributes:
        manager: The same.
        is_called: Whether a call is going on; what it calls of itself belongs to it.
    """

    def __init__(self, engine: Engine, manager: BaseConnectionManager) -> None:
        super().__init__(engine, expire_on_commit=False)
        self.manager = manager
        self.is_called = False
        self._savepoints = 0

    @_bounded("session.execute_query")
    def execute_query(
        self, sql: str, params: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run one statement in this session, as the manager's `execute_query` does in its own."""
        return rows_of(self.connection(), sql, params)

    def commit(self) -> None:
        """Flush and commit.

        Raises:
            OutcomeUnknownError: The answer to the commit itself was lost.
            UnsupportedError: It would end the transaction from within a savepoint.
        """
        self._refuse_within_savepoint("commit")
        if not self.in_transaction():  # nothing was read, written or put into it
            return
        flushed: list[bool] = []
        try:
            self._flush_and_commit(flushed)
        except UnavailableError as error:
            if flushed:
                raise outcome_unknown("the commit", error) from error
            raise

    @contextmanager
    def savepoint(self) -> Iterator[Self]:
        """What is done in the body is kept, or on an exception undone, as a whole."""
        with self.manager.bounded():
            self.flush()
            nested = self.begin_nested()
        try:
            with self._within_savepoint():
                yield self
            with self.manager.bounded():
                nested.commit()
        except BaseException:
            if nested.is_active:
                self._undo(nested.rollback)
            raise

    def rollback(self) -> None:
        """Undo what was done in this session.

        Raises:
            UnsupportedError: It would end the transaction from within a savepoint.
        """
        self._refuse_within_savepoint("rollback")
        self._rollback()

    @_bounded("session.rollback")
    def _rollback(self) -> None:
        super().rollback()

    @contextmanager
    def _within_savepoint(self) -> Iterator[None]:
        self._savepoints += 1
        try:
            yield
        finally:
            self._savepoints -= 1

    def _refuse_within_savepoint(self, call: str) -> None:
        if self._savepoints:
            raise ends_outer(call, self.manager.name)

    def give_back(self) -> None:
        """Close it; what was on a lost connection, the server has rolled back."""
        if self.in_transaction():
            self._undo(self.close)
        else:  # nothing is sent
            super().close()

    def _undo(self, call: Callable[[], object]) -> None:
        with suppress(UnavailableError):  # of a lost connection the server has undone all by itself
            if seconds_left(_LEAST_SECONDS) < _LEAST_SECONDS:
                Context().run(self._undo_within, _LEAST_SECONDS, call)  # no deadline counts there
            else:
                self._undo_within(self.manager.settings.timeout_seconds, call)

    def _undo_within(self, seconds: float, call: Callable[[], object]) -> None:
        with Deadline(seconds, self.manager.name, interrupts=False), self.manager.bounded():
            call()

    @_bounded("session.commit")
    def _flush_and_commit(self, flushed: list[bool]) -> None:
        super().flush()
        flushed.append(True)
        super().commit()


for _call in (
    *("close", "connection", "execute", "flush", "get", "get_one", "merge"),
    *("refresh", "scalar", "scalars"),
):
    setattr(SyncBoundedSession, _call, _bounded(f"session.{_call}")(getattr(Session, _call)))
