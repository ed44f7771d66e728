"""Whatever is stored and whatever is asked, every store finds what the reference finds."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.connections.vector.base import Record, VectorStore
from infrastructure.connections.vector.filters import (
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Operator,
    matches,
    where,
)
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from infrastructure.connections.vector.values import Scalar
from tests.infrastructure.connections.vector.filter_strategies import fields, filters

some_filters = st.lists(filters | st.just(AllOf()) | st.just(AnyOf()), min_size=1, max_size=5)


async def found(store: VectorStore, records: list[Record], asked: list[Filter]) -> list[set[str]]:
    async with store:
        await store.ensure_collection("c", 1)
        await store.upsert("c", records)
        assert {record.id: record.fields async for record in store.scroll("c")} == {
            record.id: record.fields for record in records
        }
        answers = []
        for one in asked:
            matched = await store.search("c", [1.0], limit=100, filter=one)
            answers.append({match.id for match in matched})
            assert await store.count("c", one) == len(matched)
        return answers


SCALARS: list[Scalar] = [0, 1, 1.0, -0.0, 2.5, 2**53, True, False, "", "1", "a", "A"]
DATES: list[Scalar] = ["2026-11-21", "2026-11-21T00:00:00Z", "2026-11-21 02:00+01:00"]
VALUES = [None, [], *SCALARS, *DATES, ["a", 1], [True, 2.5], ["x", "2026-11-22"]]
ORDERED = (Operator.GT, Operator.GE, Operator.LT, Operator.LE)
EVERYTHING: list[Filter] = [
    *(Condition("x", operator, value) for operator in ORDERED for value in [0, 1, 2.5, *DATES]),
    *(where("x") == value for value in [None, *SCALARS, *DATES]),
    *(where("x") != value for value in [None, *SCALARS, *DATES]),
    *(where("x").is_in(pair) for pair in itertools.pairwise([*SCALARS, *DATES])),
    *(where("x").not_in(pair) for pair in itertools.pairwise([*SCALARS, *DATES])),
    where("x").exists(),
    ~where("x").exists(),
    where("absent").exists(),
    where("x").is_in([]),
]


@pytest.mark.parametrize("kind", [MemoryVectorStore, QdrantVectorStore])
async def test_every_operator_meets_every_kind_of_value(kind):
    records = [Record(str(i), [1.0], fields={"x": value}) for i, value in enumerate(VALUES)]
    records.append(Record("without", [1.0]))
    answers = await found(kind(kind.Settings()), records, EVERYTHING)
    for one, answer in zip(EVERYTHING, answers, strict=True):
        expected = {record.id for record in records if matches(one, record.fields)}
        assert (one, answer) == (one, expected)


@settings(deadline=None, max_examples=100)
@given(st.lists(fields, min_size=1, max_size=8), some_filters)
def test_every_store_finds_what_the_reference_finds(all_fields, asked):
    records = [Record(str(i), [1.0], fields=one) for i, one in enumerate(all_fields)]
    expected = [{record.id for record in records if matches(one, record.fields)} for one in asked]
    memory = MemoryVectorStore(MemorySettings())
    qdrant = QdrantVectorStore(QdrantSettings())
    assert asyncio.run(found(memory, records, asked)) == expected
    assert asyncio.run(found(qdrant, records, asked)) == expected
