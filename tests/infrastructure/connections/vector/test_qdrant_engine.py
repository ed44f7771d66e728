"""The server's own engine, in this process: what we send means there what it means here."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as edge
from qdrant_client import models

from infrastructure.connections.vector.base import Place, Record, Shape, SparseVector
from infrastructure.connections.vector.filters import Filter, matches, where
from infrastructure.connections.vector.qdrant.filters import DATES, FIELDS, payload_key, translate
from infrastructure.connections.vector.qdrant.points import (
    SPARSE,
    TENANT,
    changes_of,
    passing,
    point_id,
    point_of,
)
from tests.contracts.vector_filter_contract import EVERYTHING, VALUES

ODD_NAMES = ["c-1", "d e", "f.g", "h[0]", "日", "id", "x[]", "a'b"]
PLACE = Place("c", Shape(2, sparse=True))
TENANTS = [Place("c", Shape(2, sparse=True, tenants=True), tenant) for tenant in ("acme", "other")]


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[edge.EdgeShard]:
    dense = edge.EdgeVectorParams(size=2, distance=edge.Distance.Cosine)
    config = edge.EdgeConfig(vectors=dense, sparse_vectors={SPARSE: edge.EdgeSparseVectorParams()})
    shard = edge.EdgeShard.create(str(tmp_path), config)
    yield shard
    shard.close()


def store(shard: edge.EdgeShard, records: list[Record], place: Place = PLACE) -> None:
    points = [point_of(place, record) for record in records]
    engines = [edge.Point(uuid.UUID(str(p.id)), _vector(p.vector), p.payload) for p in points]
    shard.update(edge.UpdateOperation.upsert_points(engines))


def found(shard: edge.EdgeShard, asked: models.Filter) -> set[str]:
    return {payload["id"] for payload in payloads(shard, engines_filter(asked))}


def payloads(shard: edge.EdgeShard, asked: edge.Filter | None = None) -> list[Any]:
    request = edge.ScrollRequest(limit=1000, filter=asked, with_payload=True)
    points, _ = shard.scroll(request)
    return [point.payload for point in points]


@pytest.mark.parametrize("is_indexed", [False, True])
def test_every_operator_meets_every_kind_of_value(shard: edge.EdgeShard, is_indexed: bool):
    if is_indexed:
        _index(shard, payload_key(FIELDS, "x"), edge.PayloadSchemaType.Keyword)
        _index(shard, payload_key(FIELDS, "x"), edge.PayloadSchemaType.Float)
        _index(shard, payload_key(DATES, "x"), edge.PayloadSchemaType.Float)
    records = [Record(str(i), [1.0, 0.0], fields={"x": one}) for i, one in enumerate(VALUES)]
    records.append(Record("without", [1.0, 0.0]))
    store(shard, records)
    for asked in EVERYTHING:
        if _asks_a_boolean(asked):
            continue
        expected = {record.id for record in records if matches(asked, record.fields)}
        assert (asked, found(shard, translate(asked))) == (asked, expected)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_field_of_any_name_is_found(shard: edge.EdgeShard, name: str):
    store(shard, [Record("1", [1.0, 0.0], fields={name: "2026-11-21"}), Record("2", [1.0, 0.0])])
    asked: list[Filter] = [where(name) == "2026-11-21", where(name) > "2026-11-20"]
    assert [found(shard, translate(one)) for one in asked] == [{"1"}, {"1"}]


def test_a_tenants_points_are_its_own(shard: edge.EdgeShard):
    _index(shard, TENANT, edge.PayloadSchemaType.Keyword)
    for place in TENANTS:
        store(shard, [Record(f"{place.tenant} {i}", [1.0, 0.0]) for i in "12"], place)
    everything = ~where("absent").exists()
    assert found(shard, passing(TENANTS[0], everything)) == {"acme 1", "acme 2"}


def test_changes_merge_take_away_and_keep_the_dates_right(shard: edge.EdgeShard):
    fields = {"a": 1, "d e": "2026-11-21", "gone": 1, "day": "2026-11-21"}
    store(shard, [Record("1", [1.0, 0.0], fields=fields)])
    new = {"a": ["x"], "d e": 7, "gone": None, "f.g": "2026-11-22"}
    for change in changes_of(new, [uuid.UUID(point_id(PLACE, "1"))]):
        shard.update(_engines_change(change))
    (payload,) = payloads(shard)
    assert payload[FIELDS] == {"a": ["x"], "d e": 7, "day": "2026-11-21", "f.g": "2026-11-22"}
    assert set(payload[DATES]) == {"day", "f.g"}


def test_sparse_vectors_are_compared_by_their_product(shard: edge.EdgeShard):
    weights = {"1": {3: 1.0, 9: 0.5}, "2": {3: 2.0}, "3": {999_999_999: 4.0}}
    store(
        shard,
        [Record(one, [1.0, 0.0], sparse=SparseVector.of(each)) for one, each in weights.items()],
    )
    query = edge.Query.Nearest(edge.SparseVector(indices=[3], values=[1.5]), using=SPARSE)
    asked = edge.QueryRequest(limit=10, query=query, with_payload=True)
    answers: list[Any] = list(shard.query(asked))
    assert [(one.payload["id"], one.score) for one in answers] == [
        ("2", 3.0),
        ("1", 1.5),
    ]


def _asks_a_boolean(asked: Filter) -> bool:
    """Python's binding of the engine reads a boolean as a number; over JSON and gRPC it is one."""
    sent = translate(asked).model_dump_json()
    return '"value":true' in sent or '"value":false' in sent


def _index(shard: edge.EdgeShard, key: str, schema: Any) -> None:
    shard.update(edge.UpdateOperation.create_field_index(key, schema))


def _vector(vector: Any) -> Any:
    if not isinstance(vector, dict):
        return vector
    sparse = vector[SPARSE]
    return {**vector, SPARSE: edge.SparseVector(indices=sparse.indices, values=sparse.values)}


def _engines_change(change: Any) -> edge.UpdateOperation:
    if isinstance(change, models.SetPayloadOperation):
        asked: Any = change.set_payload
        return edge.UpdateOperation.set_payload(asked.points, asked.payload, asked.key)
    taken = change.delete_payload
    return edge.UpdateOperation.delete_payload(taken.points, taken.keys)


def engines_filter(asked: models.Filter) -> edge.Filter:
    """The vendor's model of a filter in the words of its engine."""
    parts: dict[str, Any] = {
        name: [_engines_condition(one) for one in getattr(asked, name) or []]
        for name in ("must", "should", "must_not")
    }
    return edge.Filter(**{name: found for name, found in parts.items() if found})


def _engines_condition(asked: Any) -> Any:
    match asked:
        case models.Filter():
            return engines_filter(asked)
        case models.IsEmptyCondition():
            return edge.IsEmptyCondition(asked.is_empty.key)
        case models.HasIdCondition():
            return edge.HasIdCondition(set(asked.has_id))
        case models.FieldCondition(range=models.Range() as bounds):
            return edge.FieldCondition(asked.key, range=edge.RangeFloat(**bounds.model_dump()))
        case _:
            return edge.FieldCondition(asked.key, match=_engines_match(asked.match))


def _engines_match(asked: Any) -> Any:
    match asked:
        case models.MatchAny():
            return edge.MatchAny(asked.any)
        case models.MatchSubstring():
            return edge.MatchSubstring(asked.substring)
        case _:
            return edge.MatchValue(asked.value)
