"""The server's side of the store: what it makes of answers, and of none."""

import asyncio
import json
import socket

import pytest

from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    DeadlineExceededError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from tests.infrastructure.connections.vector.qdrant_script import (
    KEY,
    qdrant_script,
    shape,
    store_of,
)
from tests.infrastructure.connections.vector.scripted_server import ScriptedServer


@pytest.fixture
def server():
    with qdrant_script() as script:
        yield script


@pytest.fixture
async def store(server: ScriptedServer):
    async with store_of(server) as store:
        yield store


# what is answered


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RejectedError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, RejectedError),
        (422, RejectedError),
        (429, OverloadedError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
async def test_a_refusal_is_typed_and_quotes_the_server(server, store, status, error):
    server.status, server.text = status, json.dumps({"status": {"error": f"because {KEY}"}})
    with pytest.raises(error) as caught:
        await store.count("notes")
    assert type(caught.value) is error
    assert f"vector.default: Qdrant answered {status}: because ***" in str(caught.value)
    assert caught.value.__cause__ is not None


async def test_a_limit_says_when_to_return(server, store):
    server.status, server.headers = 429, {"Retry-After": "7"}
    with pytest.raises(OverloadedError) as caught:
        await store.count("notes")
    assert caught.value.retry_after_seconds == 7


async def test_an_unreadable_date_to_return_is_still_a_limit(server, store):
    server.status, server.headers = 429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
    with pytest.raises(OverloadedError):
        await store.count("notes")


@pytest.mark.parametrize("text", ["<html>", "", "{}", '{"result": {"count": "many"}}', "null"])
async def test_an_answer_that_cannot_be_read_is_a_data_error(server, store, text):
    server.status, server.text = 200, text
    with pytest.raises(DataError):
        await store.count("notes")


async def test_a_collection_made_meanwhile_counts_as_there(server, store):
    del server.answers["GET /collections/notes"]
    asking = store.ensure_collection("notes", 2)

    original = server._answer

    def answer(asked):
        if asked.method == "PUT":
            server.answers["GET /collections/notes"] = shape()
            server.status, server.text = 409, "{}"
        reply = original(asked)
        server.status = 0
        return reply

    server._answer = answer
    assert await asking is False


async def test_a_collection_of_another_shape_is_a_conflict(server, store):
    server.answers["GET /collections/notes"] = shape(size=3)
    with pytest.raises(ConflictError, match="3 dimensions"):
        await store.ensure_collection("notes", 2)


async def test_dropping_what_the_server_does_not_have(server, store):
    assert await store.drop_collection("notes") is False
    server.answers["DELETE /collections/notes"] = True
    assert await store.drop_collection("notes") is True


# no answer


async def test_a_refused_connection_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = QdrantSettings(url=f"http://127.0.0.1:{port}")
    store = QdrantVectorStore(settings, name="vector.default")
    with pytest.raises(UnavailableError, match=r"vector\.default: no answer from Qdrant"):
        await store.connect()
    assert not (await store.health_check()).is_up


async def test_silence_ends_at_the_deadline(server):
    async with store_of(server, timeout_seconds=0.2) as store:
        server.is_silent = True
        with pytest.raises(DeadlineExceededError) as caught:
            await store.count("notes")
        assert caught.value.seconds == 0.2
        assert store.pool_stats().in_use == 0


async def test_silence_ends_the_opening_too(server):
    server.is_silent = True
    with pytest.raises(DeadlineExceededError):
        await store_of(server, connect_timeout_seconds=0.2).connect()


async def test_a_server_that_returns_is_used_again(server, store):
    server.status = 500
    assert not (await store.health_check()).is_up
    server.status = 0
    assert (await store.health_check()).is_up


async def test_calls_beyond_the_pool_wait(server):
    server.answers["POST /collections/notes/points/count"] = {"count": 1}
    async with store_of(server, pool_size=2, timeout_seconds=5) as store:
        counts = [asyncio.create_task(store.count("notes")) for _ in range(10)]
        seen = 0
        while not all(task.done() for task in counts):
            seen = max(seen, store.pool_stats().in_use)
            await asyncio.sleep(0)
        assert [task.result() for task in counts] == [1] * 10
        assert 1 <= seen <= 2
    assert store.pool_stats().limit == 0


async def test_the_key_is_shown_nowhere(server):
    store = store_of(server)
    async with store:
        health = await store.health_check()
        shown = f"{store!r} {store.settings!r} {health} {store._engine!r}"
    assert KEY not in shown
