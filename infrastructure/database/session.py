"""A session of the default container's database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from infrastructure.ambient import resolve


class DatabaseSession:
    """A SQLAlchemy session whose `execute` takes SQL in text as well.

    Attributes:
        session: The session itself; everything else asked for here is its.
    """

    def __init__(self, session: Any) -> None:
        self.session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    async def execute(
        self, statement: Any, params: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Run a statement of SQLAlchemy, or text with `:name` for each parameter."""
        if isinstance(statement, str):
            from infrastructure.connections.database.sql.statements import parsed

            statement = parsed(statement)
        return await self.session.execute(statement, params, **options)


@asynccontextmanager
async def get_db_session() -> AsyncIterator[DatabaseSession]:
    """A session of `db.default`: committed at the end, rolled back on an exception, closed.

        async with get_db_session() as db:
            await db.execute("INSERT INTO book VALUES (:title)", {"title": "Dune"})

    Raises:
        InfrastructureError: As the calls of a SQL connection manager.
    """
    async with resolve("db.default").session() as session:
        yield DatabaseSession(session)
