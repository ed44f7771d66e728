"""The container of the part `db`: a manager for each block, its twin for threads, and sessions."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

from containers import parts, providers
from infrastructure.config import Settings
from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    BaseConnectionManager,
    sync_twin,
)
from infrastructure.errors import ConfigurationError, UnsupportedError
from infrastructure.resilience.policies import Policies

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


def open_sync_session(database: Any) -> Iterator[Any]:
    """The same for a scope of a thread."""
    with database.session() as session:
        yield session


class SyncManagers:
    """The twins for threads, made when first asked for: who has none pays for none.

    They end with the container, or by `close()` where nobody started it.

    Args:
        settings: Where the blocks are.
        policies: What a block's policy is looked up in.
    """

    def __init__(self, settings: Settings, policies: Policies | None = None) -> None:
        self._settings = settings
        self._policies = policies
        self._made: dict[str, BaseConnectionManager] = {}

    def twin(self, path: str) -> BaseConnectionManager:
        """The twin of the manager at `db.<path>`, the same one for the same path; no I/O.

        Raises:
            UnsupportedError: The block's kind has no twin.
            MissingExtraError: Its driver is not installed.
            ConfigurationError: There is no such block, or nobody has handed in its policy.
        """
        made = self._made.get(path)
        if made is None:  # no lock, for a forked child would wait for it: one of two counts
            made = self._made.setdefault(path, self._create(path))
        return made

    def close(self) -> None:
        """Close those that were made; each opens again when it is used."""
        with ExitStack() as ends:  # one that fails to close keeps none of the others open
            for made in list(self._made.values()):
                ends.callback(made.disconnect)

    async def disconnect(self) -> None:
        """The same, while the event loop goes on."""
        await asyncio.to_thread(self.close)

    def _create(self, path: str) -> BaseConnectionManager:
        block: Any = parts.block_at(self._settings, "db", path)
        made = sync_twin(block, name=f"db.sync_{path}")
        if block.policy is not None:
            if self._policies is None:
                raise ConfigurationError(
                    f"its policy '{block.policy}' is known to the root container only",
                    where=f"db.{path}",
                    hint="Build it by `Container(...)`.",
                )
            made.policy = self._policies.policy(f"db.{path}")
        return made


def sync_manager(twins: Any, path: str) -> providers.Callable[BaseConnectionManager]:
    """The provider of the twin of `db.<path>`."""
    provider: providers.Callable[BaseConnectionManager]
    provider = providers.Callable(SyncManagers.twin, twins, path)
    provider.port = BaseConnectionManager
    return provider


class DbContainer(parts.PartContainer):
    """Managers by name; `session` is of the default, `sessions.<name>` of an instance.

    The same with `sync_` before it is for threads.
    """

    settings = providers.Dependency(instance_of=Settings)
    default = manager(settings, "default")
    session: providers.Scoped[Any] = providers.Scoped(open_session, default)
    sessions = providers.Group()
    sync_managers = providers.Managed(SyncManagers, settings)
    sync_default = sync_manager(sync_managers, "default")
    sync_instances = providers.Group()
    sync_session: providers.Scoped[Any] = providers.Scoped(open_sync_session, sync_default)
    sync_sessions = providers.Group()


def add_instance(inside: Any, name: str, instance: Any) -> tuple[providers.Group, ...]:
    """Give an instance its sessions and its twin; in which groups they are."""
    twin = sync_manager(inside.sync_managers, f"instances.{name}")
    inside.sessions.providers[name] = providers.Scoped(open_session, instance)
    inside.sync_instances.providers[name] = twin
    inside.sync_sessions.providers[name] = providers.Scoped(open_sync_session, twin)
    return inside.sessions, inside.sync_instances, inside.sync_sessions
