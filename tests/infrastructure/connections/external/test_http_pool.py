"""Connections kept for the next call: none is lost when a call is cut, and none mixes answers."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from infrastructure.connections.external.http import HttpConnectionManager
from infrastructure.errors import InfrastructureError
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    Seen,
    answer,
    client_of,
    json_answer,
)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(lambda seen: json_answer(seen.path)) as server:
        yield server


@pytest.fixture
async def client(server: RawServer) -> AsyncIterator[HttpConnectionManager]:
    async with client_of(server.url, max_connections=1) as client:
        yield client


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def is_cut(call: Coroutine[Any, Any, Any], after_turns: int) -> bool:
    """Cancel it after so many turns of the loop; whether it was going on still."""
    task = asyncio.create_task(call)
    await turns(after_turns)
    task.cancel()
    await asyncio.wait((task,))
    return task.cancelled()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_call_cut_at_any_moment_leaves_no_connection_in_use(client, method):
    moment = 0
    while await is_cut(client.request(method, "x"), moment):
        assert client.pool_stats().in_use == 0, moment
        moment += 1
    assert await client.get_json("x") == "/x"


async def test_nor_on_a_connection_that_was_there(client):
    moment, is_going_on = 0, True
    while is_going_on:
        await client.get_json("x")
        is_going_on = await is_cut(client.get_json("x"), moment)
        assert client.pool_stats().in_use == 0, moment
        moment += 1


async def test_who_goes_while_waiting_for_a_connection_leaves_it_to_others(server, client):
    server.answer = lambda seen: json_answer(seen.path, connection="close")
    moment, is_going_on = 0, True
    while is_going_on:
        first = asyncio.create_task(client.get_json("x"))
        is_going_on = await is_cut(client.get_json("x"), moment)
        await first
        assert client.pool_stats().in_use == 0, moment
        moment += 1


async def test_closing_ends_what_connects_and_sends_nothing_that_waits(server):
    closed = asyncio.Event()

    async def held(_: Seen) -> bytes:
        await closed.wait()
        return answer()

    server.answer = held
    for moment in range(30):
        closed.clear()
        server.seen.clear()
        client = client_of(
            server.url, max_connections=1, max_attempts=1, drain_timeout_seconds=0.001
        )
        await client.connect()
        calls = [asyncio.create_task(client.request("POST", "x")) for _ in range(3)]
        await turns(moment)
        await client.disconnect()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, InfrastructureError) for end in ends), ends
        assert len(server.seen) <= 1
        closed.set()
        await server.left()


@pytest.mark.parametrize("is_at_once", [True, False])
async def test_what_comes_behind_an_answer_is_not_the_next_one(server, client, is_at_once):
    behind = json_answer("not this")
    server.answer = lambda seen: json_answer(seen.path) + (behind if is_at_once else b"")
    assert await client.get_json("first") == "/first"
    if not is_at_once:
        server.say(behind)
        await turns(10)
    server.answer = lambda seen: json_answer(seen.path)
    assert await client.get_json("second") == "/second"
    assert server.connections == 2


async def test_an_answer_without_a_body_keeps_its_connection(server, client):
    server.answer = lambda _: answer()[:-2].replace(b"length: 0", b"length: 99999999") + b"\r\n"
    for _ in range(2):
        answered = await client.request("HEAD", "x")
        assert (answered.headers["content-length"], answered.body) == ("99999999", b"")
    assert server.connections == 1


async def test_a_download_cut_at_any_moment_leaves_no_file(client, tmp_path: Path):
    moment = 0
    while await is_cut(client.download_to("x", tmp_path / "copy"), moment):
        moment += 1
    await turns(100)
    assert names_in(tmp_path) == ["copy"]
