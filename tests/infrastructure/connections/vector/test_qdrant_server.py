"""The server's side of the store: what it sends, and what it makes of the answers."""

import asyncio
import json
import socket
import uuid
from typing import Any

import pytest
from pydantic import ValidationError

from infrastructure.connections.vector.base import Metric, Record
from infrastructure.connections.vector.filters import where
from infrastructure.connections.vector.qdrant import NAMESPACE, QdrantSettings, QdrantVectorStore
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
from tests.contracts.connection_contract import ConnectionContract
from tests.infrastructure.connections.vector.scripted_server import ScriptedServer, scripted_server

KEY = "s3cret-k3y"
DONE = {"operation_id": 1, "status": "completed"}


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with scripted_server() as script:
        yield script


def store_of(server: ScriptedServer, **settings) -> QdrantVectorStore:
    settings = {"url": server.url, "api_key": KEY} | settings
    return QdrantVectorStore(QdrantSettings(**settings), name="vector.default")


@pytest.fixture
async def store(server: ScriptedServer):
    async with store_of(server) as store:
        yield store


def shape(size: int = 2, distance: str = "Cosine") -> dict[str, Any]:
    params = {"vectors": {"size": size, "distance": distance}}
    optimizer = {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 0,
        "flush_interval_sec": 5,
    }
    hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000}
    config = {"params": params, "hnsw_config": hnsw, "optimizer_config": optimizer}
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "config": config,
        "payload_schema": {},
    }


def scored(id: str, score: float) -> dict[str, Any]:
    payload = {"id": id, "text": f"text of {id}", "fields": {}}
    return {"id": str(uuid.uuid5(NAMESPACE, id)), "version": 1, "score": score, "payload": payload}


class TestConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, server):
        return store_of(server)


# what is sent


async def test_the_key_goes_into_its_header_without_a_warning(server, store):
    assert server.asked[0].headers["api-key"] == KEY


async def test_opening_asks_one_thing(server, store):
    assert [(one.method, one.path) for one in server.asked] == [("GET", "/collections")]


async def test_a_collection_is_created_with_its_shape(server, store):
    server.answers["PUT /collections/notes"] = True
    assert await store.ensure_collection("notes", 3, Metric.EUCLID) is True
    (body,) = server.bodies("PUT", "/collections/notes")
    assert body["vectors"] == {"size": 3, "distance": "Euclid"}


async def test_points_are_sent_in_batches(server):
    server.answers["PUT /collections/notes/points"] = DONE
    records = [Record(str(i), [1.0, i], "t", {"day": "1970-01-02", "n": i}) for i in range(5)]
    async with store_of(server, batch_size=2) as store:
        await store.upsert("notes", records)
    bodies = server.bodies("PUT", "/collections/notes/points")
    assert [len(body["points"]) for body in bodies] == [2, 2, 1]
    assert bodies[0]["points"][1] == {
        "id": str(uuid.uuid5(NAMESPACE, "1")),
        "vector": [1.0, 1.0],
        "payload": {
            "id": "1",
            "text": "t",
            "fields": {"day": "1970-01-02", "n": 1},
            "dates": {"day": [86400.0]},
        },
    }


async def test_a_search_sends_the_filter_and_a_bound_below_the_minimum(server, store):
    server.answers["GET /collections/notes"] = shape()
    server.answers["POST /collections/notes/points/query"] = {
        "points": [scored("1", 0.9), scored("2", 0.5), scored("3", 0.4999999)]
    }
    found = await store.search(
        "notes", [1.0, 0.0], limit=3, filter=where("lang") == "en", min_score=0.5
    )
    (body,) = server.bodies("POST", "/collections/notes/points/query")
    condition = {"key": "fields.lang", "match": {"any": ["en"]}}
    assert body == {
        "query": {"nearest": [1.0, 0.0]},
        "filter": {"should": [condition]},
        "limit": 3,
        "with_payload": True,
        "with_vector": False,
        "score_threshold": pytest.approx(0.5, abs=1e-5),
    }
    assert body["score_threshold"] < 0.5
    assert [(match.id, match.score) for match in found] == [("1", 0.9), ("2", 0.5)]
    assert found[0].text == "text of 1"


async def test_euclid_turns_the_sign_both_ways(server, store):
    server.answers["GET /collections/notes"] = shape(distance="Euclid")
    server.answers["POST /collections/notes/points/query"] = {"points": [scored("1", 2.5)]}
    (match,) = await store.search("notes", [1.0, 0.0], min_score=-3.0)
    (body,) = server.bodies("POST", "/collections/notes/points/query")
    assert match.score == -2.5
    assert body["score_threshold"] == pytest.approx(3.0, abs=1e-5)


async def test_the_metric_is_asked_for_once(server, store):
    server.answers["GET /collections/notes"] = shape()
    server.answers["POST /collections/notes/points/query"] = {"points": []}
    await store.search("notes", [1.0, 0.0])
    await store.search("notes", [1.0, 0.0])
    assert len(server.bodies("GET", "/collections/notes")) == 1


async def test_a_filter_reaches_the_server_whole(server, store):
    server.answers["POST /collections/notes/points/count"] = {"count": 7}
    asked = (where("n") >= 2) & (where("on") == True) & ~where("a b").is_in([1, "x"])  # noqa: E712
    either = asked | where("day").exists() | (where("day") < "1970-01-02")
    assert await store.count("notes", either) == 7
    (body,) = server.bodies("POST", "/collections/notes/points/count")
    assert body["exact"] is True
    assert body["filter"] == json.loads("""
    {"should": [
      {"must": [
        {"must": [{"key": "fields.n", "range": {"gte": 2.0}}]},
        {"should": [{"key": "fields.on", "match": {"value": true}}]},
        {"must_not": [{"should": [
          {"key": "fields.\\"a b\\"", "range": {"gte": 1.0, "lte": 1.0}},
          {"key": "fields.\\"a b\\"", "match": {"any": ["x"]}}]}]}]},
      {"must_not": [{"must": [{"is_empty": {"key": "fields.day"}}]}]},
      {"must": [{"key": "dates.day", "range": {"lt": 86400.0}}]}]}
    """)


async def test_scrolling_turns_the_pages(server):
    point = scored("1", 0) | {"vector": [1.0, 0.0]}
    server.answers["POST /collections/notes/points/scroll"] = {
        "points": [point],
        "next_page_offset": point["id"],
    }
    async with store_of(server, batch_size=1) as store:
        scroll = aiter(store.scroll("notes"))
        assert (await anext(scroll)).id == "1"
        await anext(scroll)
    first, second = server.bodies("POST", "/collections/notes/points/scroll")
    assert (first["limit"], first.get("offset")) == (1, None)
    assert second["offset"] == point["id"]


async def test_deleting_sends_ids_or_a_filter_and_waits(server, store):
    server.answers["POST /collections/notes/points/delete"] = DONE
    await store.delete("notes", ["1"])
    await store.delete("notes", where("n") == 1)
    ids, filtered = server.bodies("POST", "/collections/notes/points/delete")
    assert ids == {"points": [str(uuid.uuid5(NAMESPACE, "1"))]}
    assert set(filtered) == {"filter"}


async def test_a_wrong_length_is_found_before_anything_is_sent(server, store):
    with pytest.raises(RejectedError, match="expected 2"):
        await store.upsert("notes", [Record("1", [1.0, 0.0]), Record("2", [1.0])])
    assert len(server.asked) == 1


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


# settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "localhost:6333"},
        {"url": "ftp://x"},
        {"url": "http://user:pass@x"},
        {"url": "http://x?api_key=1"},
        {"url": "http://x:99999"},
        {"url": "http://x", "path": "/tmp/x"},
        {"api_key": KEY},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError) as caught:
        QdrantSettings(**wrong)
    assert "pass@" not in str(caught.value)
    assert KEY not in str(caught.value)


async def test_the_key_is_shown_nowhere(server):
    store = store_of(server)
    async with store:
        health = await store.health_check()
        shown = f"{store!r} {store.settings!r} {health} {store._engine!r}"
    assert KEY not in shown
