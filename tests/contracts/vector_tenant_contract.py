"""What every vector store promises of tenants: what one has, no other meets."""

import pytest

from infrastructure.connections.vector.base import Record, VectorStore
from infrastructure.connections.vector.filters import AllOf, where
from infrastructure.errors import ConflictError, UnsupportedError
from tests.contracts.vector_fixtures import NOTES, VectorFixtures


class VectorTenantContract(VectorFixtures):
    @pytest.fixture
    async def shared(self, store: VectorStore):
        """A collection where two tenants have records with the same ids."""
        if not store.capabilities.tenants:
            with pytest.raises(UnsupportedError, match="has no tenants"):
                await store.ensure_collection(NOTES, 2, tenants=True)
            pytest.skip("it has no tenants, and says so")
        await store.ensure_collection(NOTES, 2, tenants=True)
        for tenant in ("acme", "éclair/2"):
            records = [Record(one, [1.0, 0.0], tenant, {"of": tenant}) for one in ("1", "2")]
            await store.upsert(NOTES, records, tenant=tenant)
        return store

    async def test_a_tenant_meets_its_own_records_only(self, shared: VectorStore):
        acme = shared.tenant("acme")
        everyone = where("of").exists()
        assert await acme.count(NOTES) == await acme.count(NOTES, everyone) == 2
        assert {record.text for record in await acme.get(NOTES, ["1", "2"])} == {"acme"}
        assert {record.text async for record in acme.scroll(NOTES, everyone)} == {"acme"}
        found = await acme.search(NOTES, [1.0, 0.0], filter=everyone)
        assert [match.text for match in found] == ["acme", "acme"]
        assert await acme.count(NOTES, where("of") == "éclair/2") == 0

    async def test_a_negated_filter_meets_no_other_tenant(self, shared: VectorStore):
        asked = (where("of") != "acme") | ~AllOf()
        assert await shared.tenant("acme").count(NOTES, asked) == 0

    async def test_a_tenant_changes_its_own_records_only(self, shared: VectorStore):
        acme, other = shared.tenant("acme"), shared.tenant("éclair/2")
        assert await acme.update(NOTES, ["1"], {"new": 1}) == 1
        assert await acme.update(NOTES, AllOf(), {"newer": 1}) == 2
        await acme.upsert(NOTES, [Record("2", [0.0, 1.0], "changed")])
        assert await other.count(NOTES, where("new").exists() | where("newer").exists()) == 0
        assert [record.text for record in await other.get(NOTES, ["2"])] == ["éclair/2"]

    async def test_a_tenant_forgets_its_own_records_only(self, shared: VectorStore):
        acme, other = shared.tenant("acme"), shared.tenant("éclair/2")
        await acme.delete(NOTES, ["1"])
        await acme.delete(NOTES, AllOf())
        assert await acme.count(NOTES) == 0
        assert await other.count(NOTES) == 2

    async def test_a_tenant_scrolls_its_own_records_from_any_place(self, shared: VectorStore):
        acme = shared.tenant("acme")
        first = [record.id async for record in acme.scroll(NOTES, limit=1)]
        rest = [record.id async for record in acme.scroll(NOTES, after=first[0])]
        assert sorted(first + rest) == ["1", "2"]

    async def test_a_new_tenant_finds_nothing(self, shared: VectorStore):
        assert await shared.search(NOTES, [1.0, 0.0], tenant="new") == []

    async def test_a_collection_with_tenants_is_another_shape(self, shared: VectorStore):
        with pytest.raises(ConflictError, match="has 2 dimensions, cosine, tenants, asked for 2"):
            await shared.ensure_collection(NOTES, 2)
        assert (await shared.shape(NOTES)).tenants
