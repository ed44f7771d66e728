"""Caches behind TLS: a certificate is verified, and what is wrong with it is said.

The local servers speak no TLS; a door before them does.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from infrastructure.cache.base import BaseCacheProvider, CacheRegistry
from infrastructure.connections.redis_address import RedisAddress
from infrastructure.connections.redis_client import build_client
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    InfrastructureError,
    UnavailableError,
)
from infrastructure.servers.base import LocalServer
from infrastructure.servers.memcached import MemcachedServer
from tests.faults.tls import Certificate, TlsDoor
from tests.redis_address import address

Provide = Callable[..., BaseCacheProvider]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["redis", "memcached"])
def server(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of a server that speaks no TLS."""
    if request.param == "memcached":
        memcached: MemcachedServer = request.getfixturevalue("memcached")
        return {"kind": "memcached", "host": "127.0.0.1", "port": memcached.port}
    valkey: LocalServer = request.getfixturevalue("valkey")
    return address(valkey.url, kind="redis", host="127.0.0.1")


@pytest.fixture
async def door(server: dict[str, Any], certificate: Certificate) -> AsyncIterator[TlsDoor]:
    async with TlsDoor(server["port"], certificate) as door:
        yield door


@pytest.fixture
def behind(server: dict[str, Any], door: TlsDoor) -> Provide:
    """Makes a provider that goes through the door."""

    def provide(**changed: Any) -> BaseCacheProvider:
        found = server | {"port": door.port, "tls": True, "key_prefix": "tls:"} | changed
        kind = CacheRegistry.resolve(found["kind"])
        return CacheRegistry.create(kind.Settings.model_validate(found), name="cache.x")

    return provide


async def _failure(provider: BaseCacheProvider) -> InfrastructureError:
    with pytest.raises(InfrastructureError) as caught:
        await provider.get("key")
    await provider.disconnect()
    return caught.value


async def test_values_go_through_tls_with_the_authority_that_is_named(
    behind: Provide, certificate: Certificate
) -> None:
    async with behind(tls_ca_file=certificate.file) as provider:
        values = {f"k{number}": "x" * 10_000 for number in range(100)}
        await provider.set_many(values, 60)
        assert await provider.get_many([*values]) == [*values.values()]
        looks = await asyncio.gather(*(provider.get(key) for key in values))
        assert looks == [*values.values()]
        assert (await provider.health_check()).is_up


async def test_a_certificate_of_nobody_that_is_trusted_is_refused_and_says_so(
    behind: Provide, certificate: Certificate, tmp_path: Path
) -> None:
    for changed in ({}, {"tls_ca_file": Certificate(tmp_path, "another").file}):
        error = await _failure(behind(username="user", password="hunter2", **changed))
        assert isinstance(error, AuthenticationError)
        assert "is not trusted: self-signed certificate" in str(error)
        assert "tls_ca_file" in str(error)
        chain = f"{error!r} {error} {error.__cause__!r} {error.__cause__}"
        assert "hunter2" not in chain


async def test_a_certificate_for_another_host_is_refused_and_says_so(
    behind: Provide, certificate: Certificate
) -> None:
    error = await _failure(behind(tls_ca_file=certificate.file, host="localhost"))
    assert isinstance(error, AuthenticationError)
    assert "Hostname mismatch" in str(error)


async def test_a_server_without_tls_is_unavailable_and_says_so(behind: Provide) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with listener:
        error = await _failure(behind(port=listener.sockets[0].getsockname()[1]))
    assert isinstance(error, UnavailableError)
    assert re.search(r"cache\.x: no TLS with \w+ at 127\.0\.0\.1:\d+", str(error))


async def test_a_file_that_holds_no_authority_is_a_configuration_error(
    behind: Provide, tmp_path: Path
) -> None:
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("nothing")
    for file, reason in {missing: "No such file", empty: "no certificate in it"}.items():
        error = await _failure(behind(tls_ca_file=file))
        assert isinstance(error, ConfigurationError)
        assert f"tls_ca_file '{file}' cannot be used: {reason}" in str(error)


async def test_the_authorities_are_read_once_and_not_for_each_connection(
    behind: Provide, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    create = ssl.create_default_context

    def counted(*args: Any, **named: Any) -> ssl.SSLContext:
        made.append(args)
        return create(*args, **named)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    async with behind(tls_ca_file=certificate.file) as provider:
        await asyncio.gather(*(provider.ttl(f"k{number}") for number in range(5)))
    assert len(made) == 1


async def test_the_vendors_client_trusts_the_same_authority(
    valkey: LocalServer, certificate: Certificate
) -> None:
    found = address(valkey.url, host="127.0.0.1", tls=True, tls_ca_file=certificate.file)
    async with TlsDoor(found["port"], certificate) as door:
        at = RedisAddress.model_validate(found | {"port": door.port})
        async with build_client(at, timeout_seconds=5, connect_timeout_seconds=5) as client:
            assert await client.ping()
