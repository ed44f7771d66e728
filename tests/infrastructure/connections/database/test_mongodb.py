"""MongoDB through both drivers: the contract of every connection, and what documents are."""

import asyncio
import sys
from typing import Any

import pytest
from bson import ObjectId
from pydantic import ValidationError

from infrastructure.connections.base import PoolStats
from infrastructure.connections.database.mongodb import DocumentId, MongodbConnectionManager
from infrastructure.errors import ConfigurationError, MissingExtraError, UnavailableError
from infrastructure.servers.mongodb import MongodbServer
from tests.contracts.connection_contract import ConnectionContract
from tests.mongodb import DRIVERS, made


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestMongodbConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, mongodb: MongodbServer, driver: str) -> MongodbConnectionManager:
        return made(mongodb, driver=driver, max_connections=4)


def _settings(**given: Any) -> Any:
    return MongodbConnectionManager.Settings.model_validate(given)


async def test_the_pool_is_counted(mongodb: MongodbServer, driver: str):
    manager = made(mongodb, driver=driver, max_connections=7)
    await manager.ping()
    assert manager.pool_stats() == PoolStats(size=1, in_use=0, limit=7)
    await asyncio.gather(*(manager.ping() for _ in range(20)))
    assert 1 < manager.pool_stats().size <= 7
    await manager.disconnect()


async def test_the_drivers_client_is_there_once_connected(mongodb: MongodbServer):
    async with made(mongodb) as manager:
        assert (await manager.client.admin.command("ping"))["ok"] == 1
    with pytest.raises(UnavailableError, match="connect"):
        _ = manager.client


async def test_a_right_password_beside_the_url_wins_over_a_wrong_one_in_it(mongodb: MongodbServer):
    user, _, rest = mongodb.url.removeprefix("mongodb://").partition(":")
    password, _, place = rest.partition("@")
    url = f"mongodb://{user}:wrong@{place}"
    async with made(mongodb, url=url, user=user, password=password) as manager:
        await manager.ping()


def test_text_that_is_no_id_is_refused():
    with pytest.raises(ValueError, match="24 hexadecimal digits"):
        DocumentId("dune")
    with pytest.raises(ValueError, match="24 hexadecimal digits"):
        DocumentId(None)  # type: ignore[arg-type] # as out of a request
    assert DocumentId.new() < DocumentId.new()


def test_one_id_has_one_text():
    key = DocumentId.new()
    assert DocumentId(key.upper()) == key
    assert DocumentId(ObjectId(key)) == DocumentId(key.binary) == key  # type: ignore[arg-type]


async def test_names_of_collections_that_never_end_are_not_kept_for_ever(mongodb: MongodbServer):
    async with made(mongodb) as manager:
        for number in range(2_500):
            manager.collection(f"of_user_{number}")
        assert len(manager._collections) <= 1_000


def test_the_database_is_named_by_the_url_or_beside_it():
    assert _settings(url="mongodb://a:b@h1:1,h2:2/books?x=y").database == "books"
    assert _settings(url="mongodb+srv://cluster.example.org", name="books").database == "books"
    assert _settings(host="h", name="books").place() == "h:27017"
    assert _settings(url="mongodb://a:b@h1:1,h2:2/books").place() == "h1:1,h2:2"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "needs the database"),
        ({"url": "mongodb://host"}, "needs the database"),
        ({"url": "http://host/x"}, "no MongoDB address"),
        ({"url": "mongodb:///x"}, "hosts cannot be read"),
        ({"url": "mongodb://a:p@ss@host/x"}, "%40"),
        ({"url": "mongodb://a:p@ss/word@host/x"}, "%2F"),
        ({"url": "mongodb://a:word/p@ss:1/x"}, "%2F"),
        ({"url": "mongodb://host/x?W=0"}, "w=0"),
        ({"url": "mongodb://host/x?journal=false;w=0"}, "w=0"),
        ({"name": "x", "driver": "mongoengine"}, "'pymongo' or 'motor'"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_the_password(
    given: dict[str, Any], told: str
):
    with pytest.raises(ValidationError, match=told) as refused:
        _settings(**given)
    assert "p@ss" not in str(refused.value)


def test_every_time_of_the_driver_is_set_whatever_the_url_says():
    url = "mongodb://h/x?socketTimeoutMS=1&serverSelectionTimeoutMS=1&waitQueueTimeoutMS=1"
    options = _settings(url=url, timeout_seconds=2, connect_timeout_seconds=1).options()
    assert options["timeoutMS"] == options["serverSelectionTimeoutMS"] == 1600
    assert options["waitQueueTimeoutMS"] == 1600
    assert options["connectTimeoutMS"] == 1000
    assert options["socketTimeoutMS"] is None


async def test_a_port_that_is_none_is_refused_without_the_password():
    manager = MongodbConnectionManager(_settings(url="mongodb://a:secret@host:port/x"), name="db.x")
    with pytest.raises(ConfigurationError, match=r"db\.x: .*url") as told:
        await manager.connect()
    assert told.value.__cause__ is None
    assert "secret" not in str(told.value)


async def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    mongodb: MongodbServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(
        sys.modules, "infrastructure.connections.database.mongodb.motor", raising=False
    )
    monkeypatch.setitem(sys.modules, "motor.motor_asyncio", None)
    with pytest.raises(MissingExtraError, match="motor"):
        await made(mongodb, driver="motor").connect()
