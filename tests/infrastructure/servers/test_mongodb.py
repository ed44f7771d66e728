import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from infrastructure.errors import UnavailableError, UnsupportedError
from infrastructure.servers.mongodb import MongodbServer
from tests.mongodb import DRIVERS, made

pytestmark = pytest.mark.xdist_group("mongodb")


@pytest.fixture(scope="module")
def server() -> Iterator[MongodbServer]:
    """One that is no member of a replica set, as its command line says."""
    if reason := MongodbServer.reason_missing():
        pytest.skip(f"server 'mongodb' cannot be had: {reason}")
    with MongodbServer(["--standalone"]) as server:
        yield server


def _client(url: str) -> Any:
    return MongoClient(url, serverSelectionTimeoutMS=300)


def test_it_lets_its_user_in_and_nobody_with_a_wrong_password(server: MongodbServer) -> None:
    with _client(server.url) as client:
        assert client.admin.command("ping")["ok"]
    user, _, rest = server.url.rpartition("@")
    with _client(f"{user}-not@{rest}") as client, pytest.raises(OperationFailure) as told:
        client.admin.command("ping")
    assert told.value.code == 18


def test_each_database_it_makes_is_empty(server: MongodbServer) -> None:
    first, second = server.create_database(), server.create_database()
    with _client(first) as client:
        client.get_default_database().books.insert_one({})
    with _client(second) as client:
        assert client.get_default_database().list_collection_names() == []


@pytest.mark.parametrize("driver", DRIVERS)
async def test_one_that_stands_alone_has_neither_transactions_nor_changes(
    server: MongodbServer, driver: str
) -> None:
    async with made(server, driver=driver) as mongo:
        with pytest.raises(UnsupportedError, match="replica set"):
            async with mongo.transaction():
                pass
        with pytest.raises(UnsupportedError, match="replica set"):
            await anext(mongo.watch("books"))


def test_after_a_kill_it_comes_back_on_its_port_with_its_data(server: MongodbServer) -> None:
    url = server.create_database()
    with _client(url) as client:
        client.get_default_database().books.insert_one({"_id": 1})
    server.kill()
    with _client(url) as client, pytest.raises(ServerSelectionTimeoutError):
        client.admin.command("ping")
    server.start()
    with _client(url) as client:
        assert client.get_default_database().books.find_one() == {"_id": 1}
    assert server._process is not None
    pid, folder = server._process.pid, server._process.folder
    assert pid is not None
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not folder.exists()
    assert server.url == ""


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "'secantusdb' is not installed" in MongodbServer.reason_missing()
    with pytest.raises(UnavailableError, match="cannot be had"):
        MongodbServer().start()


def test_what_was_not_started_cannot_be_restarted() -> None:
    with pytest.raises(UnavailableError, match="was not started"):
        MongodbServer().restart()
