"""Managers of Redis for tests, on each shape of servers."""

from collections.abc import Mapping
from typing import Any

from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.servers.base import LocalServer
from tests.redis_address import address


def made(found: Mapping[str, Any], *, name: str = "db.default") -> RedisConnectionManager:
    return RedisConnectionManager(RedisConnectionSettings.model_validate(found), name=name)


def made_for(server: LocalServer, **changed: Any) -> RedisConnectionManager:
    return made(address(server.url, **changed))
