"""Where a request may go: addresses of others only, unless the own network is allowed."""

import asyncio
import socket

import pytest

from infrastructure.connections.external.http.addresses import why_refused
from infrastructure.errors import ConfigurationError, RejectedError, UnavailableError
from infrastructure.servers.process import free_port
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    answer,
    client_of,
    json_answer,
)

PRIVATE = [
    *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
    *(
        "192.0.2.1",
        "192.0.0.10",
        "192.88.99.1",
        "3fff::1",
        "198.18.0.1",
        "240.0.0.1",
        "::1",
        "fc00::1",
        "fd12::1",
        "fec0::1",
    ),
    *("::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "64:ff9b:1::808:808", "::10.0.0.1"),
]
NOBODY = ["0.0.0.0", "::", "224.0.0.1", "ff02::1"]
METADATA = [
    *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254"),
    *("100.100.100.200", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"),
    *("168.63.129.16", "::ffff:168.63.129.16", "192.0.0.192", "fd20:ce::254"),
    *("64:ff9b:1::a9fe:a9fe", "fd00:ec2::23", "fd00:c1::a9fe:a9fe", "fd00:100::100:200"),
    *("fd00:42::42", "fd00:a9fe:a9fe::1"),
]
PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", [*PRIVATE, *NOBODY, *METADATA])
def test_what_is_not_public_is_refused(address: str):
    assert why_refused(address, allow_private=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_not(address: str):
    assert not why_refused(address, allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_the_own_network_can_be_allowed(address: str):
    assert not why_refused(address, allow_private=True)


@pytest.mark.parametrize("address", [*NOBODY, *METADATA])
def test_the_metadata_of_a_cloud_cannot(address: str):
    assert why_refused(address, allow_private=True)


async def refused_by(url: str, **changed: object) -> str:
    client = client_of(url, allow_private=False, **changed)
    with pytest.raises(RejectedError) as told:
        await client.request("GET", "x")
    await client.disconnect()
    return str(told.value)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_this_machine_is_not_reached_however_it_is_written(host: str):
    async with RawServer(lambda _: answer()) as server:
        text = await refused_by(f"http://{host}:{server.port}")
        assert "not public" in text
        assert "allow_private" in text
        assert server.connections == 0


@pytest.mark.parametrize("host", ["0177.0.0.1", "256.1.1.1", "a_b\u2024.test"])
async def test_a_host_that_can_be_read_in_two_ways_is_an_error_of_the_settings(host: str):
    with pytest.raises(ConfigurationError, match="no URL"):
        await client_of(f"http://{host}/").connect()


def resolving_to(*rounds: list[str]):
    """Answers of a name server, one round after the other."""
    waiting = list(rounds)

    async def getaddrinfo(host: str, port: int, **_: object):
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    return getaddrinfo


async def test_one_private_address_among_public_ones_is_enough(monkeypatch):
    names = resolving_to(["93.184.215.14", "10.0.0.1"])
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    assert "10.0.0.1" in await refused_by("http://rebound.test")


async def test_a_name_is_resolved_once_and_what_was_checked_is_connected(monkeypatch):
    """The second answer of the name server would lead to another place."""
    async with RawServer(lambda seen: json_answer(seen.headers["host"])) as server:
        names = resolving_to(["127.0.0.1"], ["10.255.255.1"])
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
        async with client_of(f"http://rebound.test:{server.port}") as client:
            assert await client.get_json("x") == f"rebound.test:{server.port}"


async def test_the_next_address_is_tried_where_one_does_not_answer(monkeypatch):
    async with RawServer(lambda _: json_answer(1)) as server:
        names = resolving_to(["127.0.0.2", "127.0.0.1"])
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
        async with client_of(f"http://two.test:{server.port}") as client:
            assert await client.get_json("x") == 1


async def test_a_name_that_is_not_known_is_no_connection():
    async with client_of("http://nowhere.invalid", max_attempts=1) as client:
        with pytest.raises(UnavailableError, match=r"no connection to nowhere\.invalid:http"):
            await client.request("GET", "x")


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    async with RawServer(lambda _: json_answer(1)) as server, client_of(server.url) as client:
        assert await client.get_json("x") == 1
