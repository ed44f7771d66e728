"""The server's side of the store: what it sends."""

import json
import uuid
from typing import Any

import pytest

from infrastructure.connections.vector.base import Metric, Record
from infrastructure.connections.vector.filters import where
from infrastructure.connections.vector.qdrant.points import NAMESPACE
from infrastructure.connections.vector.shapes import SHAPE_SECONDS
from infrastructure.errors import ConflictError, RejectedError, UnsupportedError
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.connections.vector.qdrant_script import (
    DONE,
    KEY,
    qdrant_script,
    scored,
    shape,
    store_of,
)
from tests.infrastructure.connections.vector.scripted_server import Asked, ScriptedServer


@pytest.fixture
def server():
    with qdrant_script() as script:
        yield script


@pytest.fixture
async def store(server: ScriptedServer):
    async with store_of(server) as store:
        yield store


async def test_the_key_goes_into_its_header_without_a_warning(server, store):
    assert server.asked[0].headers["api-key"] == KEY


async def test_opening_asks_one_thing(server, store):
    assert [(one.method, one.path) for one in server.asked] == [("GET", "/collections")]


async def test_a_collection_is_created_with_its_shape(server, store):
    server.answers["PUT /collections/new"] = True
    assert await store.ensure_collection("new", 3, Metric.EUCLID) is True
    (body,) = server.bodies("PUT", "/collections/new")
    assert body == {"vectors": {"size": 3, "distance": "Euclid"}}


def creates(server: ScriptedServer, made: dict[str, Any]) -> None:
    """The server has a collection `new` of that shape once it was asked to make one."""
    server.answers |= {"PUT /collections/new": True, "PUT /collections/new/index": DONE}
    server.answers |= {"DELETE /collections/new": True}
    original = server._answer

    def answer(asked: Asked) -> bytes:
        if asked.method == "PUT":
            server.answers["GET /collections/new"] = made
        return original(asked)

    server._answer = answer  # type: ignore[method-assign]  # of this server alone


async def test_a_divided_collection_is_indexed_by_tenant_and_by_the_fields_of_the_settings(server):
    made = shape(3)
    made["config"] |= {"metadata": {"tenants": True}}
    made["config"]["params"] |= {"sparse_vectors": {"sparse": {}}}
    creates(server, made)
    indexes = {"lang": "keyword", "a b": "number", "day": "date"}
    async with store_of(server, indexes=indexes) as store:
        assert await store.ensure_collection("new", 3, sparse=True, tenants=True) is True
    (body,) = server.bodies("PUT", "/collections/new")
    assert (body["sparse_vectors"], body["metadata"]) == ({"sparse": {}}, {"tenants": True})
    assert server.bodies("PUT", "/collections/new/index") == [
        {"field_name": "fields.lang", "field_schema": "keyword"},
        {"field_name": 'fields."a b"', "field_schema": "float"},
        {"field_name": "dates.day", "field_schema": "float"},
        {"field_name": "tenant", "field_schema": {"type": "keyword", "is_tenant": True}},
    ]


async def test_a_server_too_old_for_tenants_is_told_from_one_that_knows_them(server, store):
    creates(server, shape(3))
    with pytest.raises(UnsupportedError, match=r"Tenants need Qdrant 1\.16"):
        await store.ensure_collection("new", 3, tenants=True)
    assert server.asked[-1].method == "DELETE"


async def test_a_collection_that_others_made_anew_meanwhile_is_not_removed(server, store):
    creates(server, shape(4))
    with pytest.raises(ConflictError, match="has 4 dimensions, cosine, asked for 3"):
        await store.ensure_collection("new", 3, tenants=True)
    assert "DELETE" not in {one.method for one in server.asked}


async def test_what_a_creation_that_was_cut_left_unindexed_is_indexed_by_the_next(server):
    server.answers["PUT /collections/notes/index"] = DONE
    server.answers["GET /collections/notes"]["payload_schema"] = {
        "fields.lang": {"data_type": "keyword", "points": 0}
    }
    indexes = {"lang": "keyword", "day": "date"}
    async with store_of(server, indexes=indexes) as store:
        assert await store.ensure_collection("notes", 2) is False
    assert server.bodies("PUT", "/collections/notes/index") == [
        {"field_name": "dates.day", "field_schema": "float"}
    ]


async def test_a_store_that_indexes_nothing_asks_for_the_shape_alone(server, store):
    await store.ensure_collection("notes", 2)
    assert [one.path for one in server.asked] == ["/collections", "/collections/notes"]


async def test_after_a_refusal_a_collection_made_anew_by_others_is_looked_at_again(server, store):
    assert (await store.shape("notes")).dimensions == 2
    server.answers["GET /collections/notes"] = shape(3)
    server.answers["POST /collections/notes/points/query"] = {"points": []}
    with pytest.raises(RejectedError, match="expected 2"):
        await store.search("notes", [1.0, 0.0, 0.0])
    assert await store.search("notes", [1.0, 0.0, 0.0]) == []


async def test_a_collection_that_others_divided_by_tenants_is_looked_at_again(server, store):
    await store.shape("notes")
    server.answers["GET /collections/notes"]["config"]["metadata"] = {"tenants": True}
    server.answers["POST /collections/notes/points/query"] = {"points": []}
    with pytest.raises(RejectedError, match="not divided by tenants"):
        await store.search("notes", [1.0, 0.0], tenant="acme")
    assert await store.search("notes", [1.0, 0.0], tenant="acme") == []


async def test_after_the_servers_refusal_a_shape_is_looked_at_again(server, store):
    assert (await store.shape("notes")).dimensions == 2
    server.answers["POST /collections/notes/points/query"] = {"points": []}
    server.status = 400
    with pytest.raises(RejectedError, match="answered 400"):
        await store.search("notes", [1.0, 0.0])
    server.status = 0
    server.answers["GET /collections/notes"] = shape(3)
    assert await store.search("notes", [1.0, 0.0, 0.0]) == []


async def test_a_shape_is_believed_for_a_moment_only(server, store):
    store.clock = ManualClock()
    server.answers["POST /collections/notes/points/query"] = {"points": [scored("1", 2.5)]}
    (match,) = await store.search("notes", [1.0, 0.0])
    server.answers["GET /collections/notes"] = shape(distance="Euclid")
    assert await store.search("notes", [1.0, 0.0]) == [match]
    store.clock.advance(SHAPE_SECONDS)
    (match,) = await store.search("notes", [1.0, 0.0])
    assert match.score == -2.5


async def test_what_is_forgotten_by_a_filter_is_not_left_to_a_shape_of_before(server, store):
    await store.shape("notes")
    server.answers["GET /collections/notes"]["config"]["metadata"] = {"tenants": True}
    with pytest.raises(RejectedError, match="divided by tenants, and the call names none"):
        await store.delete("notes", where("n") == 1)
    await store.shape("notes")
    with pytest.raises(RejectedError, match="divided by tenants, and the call names none"):
        await store.update("notes", where("n") == 1, {"n": 2})
    assert {one.method for one in server.asked} == {"GET"}


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


async def test_the_shape_is_asked_for_once(server, store):
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


async def test_scrolling_goes_on_behind_the_last_point(server):
    point = scored("1", 0) | {"vector": [1.0, 0.0]}
    server.answers["POST /collections/notes/points/scroll"] = {"points": [point]}
    async with store_of(server, batch_size=1) as store:
        scroll = aiter(store.scroll("notes"))
        assert (await anext(scroll)).id == "1"
        await anext(scroll)
    first, second = server.bodies("POST", "/collections/notes/points/scroll")
    assert (first["limit"], first.get("offset")) == (1, None)
    assert uuid.UUID(second["offset"]).int == uuid.UUID(point["id"]).int + 1


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
    assert {one.method for one in server.asked} == {"GET"}
