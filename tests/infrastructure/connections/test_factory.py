import subprocess
import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest

from infrastructure import ambient
from infrastructure.config.models.base import Part
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections import (
    AsyncBaseConnectionManager,
    ConnectionFactory,
    ConnectionRegistry,
    ConnectionType,
    DatabaseRegistry,
    PoolStats,
)
from infrastructure.connections.base import DATABASES, EXTERNAL, VECTOR_STORES
from infrastructure.connections.database.sqlite import SqliteConnectionManager, SqliteSettings
from infrastructure.connections.vector.base import VectorRegistry
from infrastructure.errors import UnknownKindError


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch):
    """Settings of the process, as the default container would give them."""
    default = SqliteSettings(pool_size=7)
    parts = SimpleNamespace(db=Part[ConnectionSettings](default=default))
    monkeypatch.setattr(ambient, "_resolver", lambda: {"settings": parts}.__getitem__)
    return parts


@pytest.mark.usefixtures("settings")
def test_a_kind_gives_a_manager_with_the_settings_of_its_block():
    manager = ConnectionFactory.get_connection_manager(ConnectionType.SQLITE)
    assert isinstance(manager, SqliteConnectionManager)
    assert manager.settings.pool_size == 7


@pytest.mark.usefixtures("settings")
def test_a_kind_may_be_given_as_a_word():
    manager = ConnectionFactory.get_connection_manager("sqlite", name="db.reports")
    assert manager.name == "db.reports"


@pytest.mark.usefixtures("settings")
def test_each_call_gives_a_manager_of_its_own():
    first = ConnectionFactory.get_connection_manager("sqlite")
    assert ConnectionFactory.get_connection_manager("sqlite") is not first


@pytest.mark.usefixtures("settings")
async def test_the_documented_steps_work():
    manager = ConnectionFactory.get_connection_manager(ConnectionType.SQLITE)
    await manager.connect()
    assert await manager.execute_query("SELECT 1 AS one") == [{"one": 1}]
    assert manager.is_healthy()
    await manager.disconnect()


def test_an_unknown_kind_is_told_with_those_of_both_folders():
    with pytest.raises(UnknownKindError, match=r"Did you mean 'postgres'.*qdrant.*sqlite"):
        ConnectionFactory.get_connection_manager("postgress")


def test_every_kind_is_of_one_part():
    assert sorted([*DATABASES, *VECTOR_STORES, *EXTERNAL]) == sorted(ConnectionType)


@pytest.mark.parametrize("kind", ConnectionType)
def test_every_kind_has_a_class_with_a_settings_model_of_that_kind(kind: ConnectionType):
    backend = ConnectionRegistry.resolve(kind)
    assert issubclass(backend, AsyncBaseConnectionManager)
    assert backend.Settings.model_fields["kind"].default == kind


def test_a_new_database_is_registered_through_the_one_door():
    class LedgerSettings(ConnectionSettings):
        kind: str = "ledger"

    try:

        @ConnectionRegistry.register("ledger")
        class Ledger(AsyncBaseConnectionManager):
            Settings: ClassVar[type[ConnectionSettings]] = LedgerSettings

            def pool_stats(self) -> PoolStats:
                return PoolStats(size=0, in_use=0, limit=0)

        assert ConnectionRegistry.resolve("ledger") is Ledger
        assert DatabaseRegistry.resolve("ledger") is Ledger
        assert "ledger" not in VectorRegistry.kinds()
    finally:
        DatabaseRegistry.unregister("ledger")


def test_importing_the_door_imports_no_driver():
    program = (
        "import sys, infrastructure.connections\n"
        "drivers = {'sqlalchemy', 'asyncpg', 'aiosqlite', 'redis', 'qdrant_client'}\n"
        "print(*(drivers & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "\n"
