"""HTTP over TLS: the name is verified, although a checked address is connected to."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from infrastructure.errors import AuthenticationError, ConfigurationError, UnavailableError
from tests.faults.tls import Certificate, TlsDoor
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    answer,
    client_of,
    json_answer,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(lambda seen: json_answer(seen.path)) as server:
        yield server


@pytest.fixture
async def door(server: RawServer, certificate: Certificate) -> AsyncIterator[TlsDoor]:
    async with TlsDoor(server.port, certificate) as door:
        yield door


async def test_requests_and_downloads_go_over_one_verified_connection(server, door, certificate):
    async with client_of(f"https://127.0.0.1:{door.port}", tls_ca_file=certificate.file) as client:
        assert await client.get_json("x") == "/x"
        server.answer = lambda _: answer(bytes(1_000_000))
        assert sum([len(piece) async for piece in client.download("x")]) == 1_000_000
        assert server.connections == 1


async def test_a_certificate_of_an_unknown_authority_is_refused(server, door):
    async with client_of(f"https://127.0.0.1:{door.port}") as client:
        with pytest.raises(AuthenticationError, match="not trusted"):
            await client.get_json("x")
        assert client.pool_stats().size == 0
    assert server.seen == []


async def test_a_certificate_of_another_name_is_refused(server, door, certificate, monkeypatch):
    async def getaddrinfo(host: str, port: int, **_: object):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    url = f"https://elsewhere.test:{door.port}"
    async with client_of(url, tls_ca_file=certificate.file) as client:
        with pytest.raises(AuthenticationError, match=r"elsewhere\.test"):
            await client.get_json("x")
    assert server.seen == []


async def test_a_server_without_tls_is_said_to_have_none():
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        async with client_of(f"https://127.0.0.1:{port}", max_attempts=1) as client:
            with pytest.raises(UnavailableError, match="no TLS"):
                await client.get_json("x")


async def test_a_file_without_a_certificate_is_an_error_of_the_settings(certificate):
    with pytest.raises(ConfigurationError, match="tls_ca_file"):
        await client_of("https://127.0.0.1:1", tls_ca_file=certificate.key).connect()


async def test_a_token_is_fetched_over_tls_for_a_service_without(server, door, certificate):
    server.answer = lambda _: json_answer({"access_token": "t-1"})
    auth = {"kind": "client_credentials", "client_id": "robot", "client_secret": "hunter2"}
    auth["token_url"] = f"https://127.0.0.1:{door.port}/token"
    async with client_of(server.url, auth=auth, tls_ca_file=certificate.file) as client:
        await client.request("GET", "x")
    assert server.seen[-1].headers["authorization"] == "Bearer t-1"
