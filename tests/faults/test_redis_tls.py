"""A cluster and sentinels behind TLS: what is wrong with the certificate is said."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.errors import AuthenticationError, UnavailableError
from infrastructure.servers.base import LocalServer
from tests.faults.tls import Certificate, TlsDoor
from tests.redis_address import address


@pytest.mark.parametrize("shape", ["nodes", "sentinels"])
async def test_a_certificate_of_nobody_that_is_trusted_is_told_as_such(
    shape: str, valkey: LocalServer, tmp_path: Path
) -> None:
    async with TlsDoor(address(valkey.url)["port"], Certificate(tmp_path)) as door:
        manager = _manager(shape, f"127.0.0.1:{door.port}", tls=True)
        with pytest.raises(AuthenticationError, match="is not trusted: self-signed certificate"):
            await manager.execute("GET", "key")


@pytest.mark.parametrize("shape", ["nodes", "sentinels"])
async def test_servers_without_tls_are_unavailable_and_say_so(shape: str) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"-ERR Protocol error\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with listener:
        place = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        with pytest.raises(UnavailableError, match=rf"no TLS with redis at .*{place}"):
            await _manager(shape, place, tls=True).execute("GET", "key")


def _manager(shape: str, place: str, **changed: Any) -> RedisConnectionManager:
    found = {shape: [place], "connect_attempts": 1, **changed}
    return RedisConnectionManager(RedisConnectionSettings.model_validate(found), name="db.x")
