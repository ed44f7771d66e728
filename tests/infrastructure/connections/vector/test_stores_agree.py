"""Whatever is stored and whatever is asked, every store finds what the reference finds."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.connections.vector.base import Record, VectorStore
from infrastructure.connections.vector.filters import AllOf, AnyOf, Filter, matches
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
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


@settings(max_examples=50)
@given(st.lists(fields, min_size=1, max_size=8), some_filters)
def test_every_store_finds_what_the_reference_finds(all_fields, asked):
    records = [Record(str(i), [1.0], fields=one) for i, one in enumerate(all_fields)]
    expected = [{record.id for record in records if matches(one, record.fields)} for one in asked]
    memory = MemoryVectorStore(MemorySettings())
    qdrant = QdrantVectorStore(QdrantSettings())
    assert asyncio.run(found(memory, records, asked)) == expected
    assert asyncio.run(found(qdrant, records, asked)) == expected
