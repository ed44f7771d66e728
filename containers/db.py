"""The container of the part `db`: a connection manager for each block, and scoped sessions."""

from collections.abc import AsyncIterator
from typing import Any

from containers import parts, providers
from infrastructure.config import Settings
from infrastructure.connections.base import AsyncBaseConnectionManager
from infrastructure.errors import UnsupportedError

manager = parts.component("db", AsyncBaseConnectionManager)


async def open_session(database: Any) -> AsyncIterator[Any]:
    """A SQLAlchemy session for one scope: committed at its end, rolled back on an exception."""
    if not hasattr(database, "session"):
        raise UnsupportedError(
            f"kind '{database.settings.kind}' has no sessions",
            where=database.name,
            hint="Use a SQL kind, or the manager itself.",
        )
    async with database.session() as session:
        yield session


class DbContainer(parts.PartContainer):
    """Managers by name; `session` is of the default, `sessions.<name>` of an instance."""

    settings = providers.Dependency(instance_of=Settings)
    default = manager(settings, "default")
    session: providers.Scoped[Any] = providers.Scoped(open_session, default)
    sessions = providers.Group()
