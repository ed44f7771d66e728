"""Whatever tenants do, in whatever order, each finds its own records and nobody else's."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.connections.vector.base import Record, SparseVector, VectorStore
from infrastructure.connections.vector.filters import AllOf, AnyOf, Filter, matches, where
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from tests.infrastructure.connections.vector.filter_strategies import fields, filters

# names that look like parts of ids, of paths and of each other
TENANTS = ["a", "A", "a/1", "tenant", "", "日"]
WORD = SparseVector([1], [1.0])

named = st.sampled_from([one or " " for one in TENANTS])
ids = st.sampled_from(["1", "2", "a", "a/1"])
asked = filters | st.sampled_from([AllOf(), AnyOf(), ~where("tenant").exists()])
target = asked | st.lists(ids, max_size=3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), named, ids, fields),
        st.tuples(st.just("update"), named, target, st.just({"seen": 1})),
        st.tuples(st.just("delete"), named, target, st.none()),
    ),
    max_size=12,
)
Model = dict[str, dict[str, dict[str, Any]]]


def take(model: Model, step: tuple[str, str, Any, Any]) -> None:
    kind, tenant, what, new = step
    mine = model.setdefault(tenant, {})
    if kind == "upsert":
        mine[what] = new
        return
    for one in [one for one in mine if _is_meant(what, one, mine[one])]:
        if kind == "update":
            mine[one] = {**mine[one], **new}
        else:
            del mine[one]


def _is_meant(what: list[str] | Filter, id: str, has: dict[str, Any]) -> bool:
    return matches(what, has) if isinstance(what, Filter) else id in what


async def run(store: VectorStore, model: Model, todo: Any, question: Filter) -> None:
    async with store:
        await store.ensure_collection("c", 1, sparse=True, tenants=True)
        for kind, tenant, what, new in todo:
            view = store.tenant(tenant)
            if kind == "upsert":
                await view.upsert("c", [Record(what, [1.0], tenant, new, WORD)])
            elif kind == "update":
                await view.update("c", what, new)
            else:
                await view.delete("c", what)
            take(model, (kind, tenant, what, new))
        for tenant in {one or " " for one in TENANTS}:
            await look(store, tenant, model.get(tenant, {}), question)


async def look(store: VectorStore, tenant: str, mine: dict[str, Any], question: Filter) -> None:
    view = store.tenant(tenant)
    everyone = ["1", "2", "a", "a/1"]
    found = [record async for record in view.scroll("c")]
    assert {record.id: record.fields for record in found} == mine
    assert {record.text for record in found} <= {tenant}
    assert {record.id for record in await view.get("c", everyone)} == set(mine)
    passing = {one for one, has in mine.items() if matches(question, has)}
    for by in ({"vector": [1.0]}, {"sparse": WORD}, {"vector": [1.0], "sparse": WORD}):
        matched = await view.search("c", **by, filter=question)
        assert {match.id for match in matched} == passing
    assert await view.count("c", question) == len(passing)


@pytest.mark.parametrize("kind", ["memory", "qdrant"])
def test_a_tenant_finds_what_it_stored_and_nothing_else(kind: str):
    def store() -> VectorStore:
        if kind == "memory":
            return MemoryVectorStore(MemorySettings())
        return QdrantVectorStore(QdrantSettings())

    @settings(max_examples=25)
    @given(steps, asked)
    def test(todo: Any, question: Filter) -> None:
        asyncio.run(run(store(), {}, todo, question))

    test()
