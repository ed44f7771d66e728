"""Managers of MongoDB for tests: each with a database of its own, through either driver."""

import secrets
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.servers.mongodb import MongodbServer

DRIVERS = ("pymongo", "motor")

#: Where a test asks for `mongo`.
on_both_drivers = pytest.mark.parametrize("mongo", DRIVERS, indirect=True)


def made(server: MongodbServer, **changed: Any) -> MongodbConnectionManager:
    parts = urlsplit(server.url)
    found = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "password": parts.password,
        "name": _new_name(),
        **changed,
    }
    settings = MongodbConnectionManager.Settings.model_validate(found)
    return MongodbConnectionManager(settings, name="db.default")


def in_a_new_database(manager: MongodbConnectionManager) -> MongodbConnectionManager:
    """The same manager and its open client, which `rotate(name=...)` would open anew."""
    manager.settings = manager.settings.model_copy(update={"name": _new_name()})
    manager._collections.clear()
    return manager


async def fail(manager: MongodbConnectionManager, command: str, **how: Any) -> None:
    """Let the server fail the command, once unless `times` says how often."""
    times = how.pop("times", 1)
    await manager.client.admin.command(
        "configureFailPoint",
        "failCommand",
        mode={"times": times} if times else "off",
        data={"failCommands": [command], **how},
    )


def _new_name() -> str:
    return f"test_{secrets.token_hex(4)}"
