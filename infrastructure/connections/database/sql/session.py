"""The session that a SQL connection manager hands out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from infrastructure.connections.database.sql.statements import rows_of
from infrastructure.errors import OutcomeUnknownError, UnavailableError, UnsupportedError
from infrastructure.operations import observing

ResultT = TypeVar("ResultT")
ParamsT = ParamSpec("ParamsT")


class BoundedSession(AsyncSession):
    """A SQLAlchemy session each of whose calls has a deadline and raises our errors.

    Args:
        engine: Where it takes its connection from, at the first statement.
        bounds: Makes the context that each call runs in.
        component: What listeners are told that the calls are made on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        bounds: Callable[[], AbstractAsyncContextManager[Any]],
        component: Any,
    ) -> None:
        super().__init__(engine, expire_on_commit=False)
        self.bounds = bounds
        self.component = component
        self._savepoints = 0

    async def execute_query(
        self, sql: str, params: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run one statement in this session, as the manager's `execute_query` does in its own."""

        def executed(session: Session) -> list[dict[str, Any]]:
            return rows_of(session.connection(), sql, params)

        with observing(self.component, "session.execute_query"):
            async with self.bounds():
                return await self.run_sync(executed)

    async def commit(self) -> None:
        """Flush and commit.

        Raises:
            OutcomeUnknownError: The answer to the commit itself was lost.
            UnsupportedError: It would end the transaction from within a savepoint.
        """
        self._refuse_within_savepoint("commit")
        if not self.in_transaction():  # nothing was read, written or put into it
            return
        flushed: list[bool] = []

        def flush_and_commit(session: Session) -> None:
            session.flush()
            flushed.append(True)
            session.commit()

        with observing(self.component, "session.commit"):
            try:
                async with self.bounds():
                    await self.run_sync(flush_and_commit)
            except UnavailableError as error:
                if flushed:
                    raise outcome_unknown("the commit", error) from error
                raise

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[Self]:
        """What is done in the body is kept, or on an exception undone, as a whole."""
        async with self.bounds():
            await self.flush()
            nested = await self.begin_nested()
        try:
            self._savepoints += 1
            try:
                yield self
            finally:
                self._savepoints -= 1
            async with self.bounds():
                await nested.commit()
        except BaseException:
            if nested.is_active:
                with suppress(UnavailableError):  # the server has undone all of it by itself
                    async with self.bounds():
                        await nested.rollback()
            raise

    async def rollback(self) -> None:
        """Undo all of it; the session can be used anew.

        Raises:
            UnsupportedError: It would end the transaction from within a savepoint.
        """
        self._refuse_within_savepoint("rollback")
        with observing(self.component, "session.rollback"):
            async with self.bounds():
                await super().rollback()

    def _refuse_within_savepoint(self, call: str) -> None:
        if self._savepoints:
            raise ends_outer(call, self.component.name)

    async def give_back(self) -> None:
        """Close it; what was on a lost connection, the server has rolled back."""
        with suppress(UnavailableError):
            await self.close()


def ends_outer(call: str, where: str) -> UnsupportedError:
    """The refusal of a commit or rollback in a savepoint."""
    return UnsupportedError(
        f"{call}() in a transaction inside another would end the outer one",
        where=where,
        hint="The inner one is kept at the end of its block, and undone by an exception.",
    )


def outcome_unknown(what: str, error: UnavailableError) -> OutcomeUnknownError:
    """The error for something sent whose answer was lost."""
    return OutcomeUnknownError(
        f"the answer to {what} was lost",
        where=error.where,
        hint="Read before trying again: it may have been applied.",
    )


async def finished(cleanup: Awaitable[ResultT]) -> ResultT:
    """Await `cleanup` to its end, even when cancelled meanwhile."""
    task = asyncio.ensure_future(cleanup)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


def _bounded(
    call: Callable[Concatenate[Any, ParamsT], Awaitable[ResultT]],
) -> Callable[Concatenate[Any, ParamsT], Awaitable[ResultT]]:
    operation = f"session.{call.__name__}"

    @wraps(call)
    async def bounded(
        self: BoundedSession, /, *args: ParamsT.args, **kwargs: ParamsT.kwargs
    ) -> ResultT:
        with observing(self.component, operation):
            async with self.bounds():
                return await call(self, *args, **kwargs)

    return bounded


for _call in (
    *("close", "connection", "delete", "execute", "flush", "get", "get_one", "merge"),
    *("refresh", "scalar", "scalars", "stream", "stream_scalars"),
):
    setattr(BoundedSession, _call, _bounded(getattr(AsyncSession, _call)))
