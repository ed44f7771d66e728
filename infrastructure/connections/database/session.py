"""The session that a SQL connection manager hands out."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from infrastructure.errors import OutcomeUnknownError, UnavailableError
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

    async def commit(self) -> None:
        """Flush and commit.

        Raises:
            OutcomeUnknownError: The answer to the commit itself was lost.
        """
        with observing(self.component, "session.commit"):
            await self.flush()
            try:
                async with self.bounds():
                    await super().commit()
            except UnavailableError as error:
                raise outcome_unknown("the commit", error) from error


def outcome_unknown(what: str, error: UnavailableError) -> OutcomeUnknownError:
    """The error for something sent whose answer was lost."""
    return OutcomeUnknownError(
        f"the answer to {what} was lost",
        where=error.where,
        hint="Read before trying again: it may have been applied.",
    )


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
    *("refresh", "rollback", "scalar", "scalars", "stream", "stream_scalars"),
):
    setattr(BoundedSession, _call, _bounded(getattr(AsyncSession, _call)))
