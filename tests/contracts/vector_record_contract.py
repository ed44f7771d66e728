"""What every vector store promises of records: stored, changed, read, counted, forgotten."""

import pytest

from infrastructure.connections.vector.base import Metric, Record, VectorStore
from infrastructure.connections.vector.filters import where
from tests.contracts.vector_fixtures import COLORS, NOTES, VectorFixtures


class VectorRecordContract(VectorFixtures):
    async def test_a_record_comes_back_as_it_was(self, colors: VectorStore):
        (found,) = await colors.get(NOTES, ["é/日本 3"])
        assert found == COLORS[2]

    async def test_an_absent_record_is_left_out(self, colors: VectorStore):
        assert await colors.get(NOTES, ["absent"]) == []

    async def test_records_come_in_the_order_asked_for(self, colors: VectorStore):
        found = await colors.get(NOTES, ["4", "absent", "1", "4"])
        assert [record.id for record in found] == ["4", "1", "4"]

    async def test_storing_twice_is_storing_once(self, colors: VectorStore):
        await colors.upsert(NOTES, COLORS)
        assert await colors.count(NOTES) == len(COLORS)

    async def test_storing_replaces_the_whole_record(self, colors: VectorStore):
        await colors.upsert(NOTES, [Record("1", [0.0, 0.0, 1.0], fields={"new": 1})])
        (found,) = await colors.get(NOTES, ["1"])
        assert found == Record("1", [0.0, 0.0, 1.0], "", {"new": 1})
        assert await colors.count(NOTES, where("warm").exists()) == 2

    async def test_the_last_of_two_with_one_id_stays(self, colors: VectorStore):
        twice = [Record("5", [1.0, 0.0, 0.0], text) for text in ("first", "last")]
        await colors.upsert(NOTES, twice)
        assert [record.text for record in await colors.get(NOTES, ["5"])] == ["last"]

    async def test_ids_differ_in_every_letter(self, colors: VectorStore):
        ids = ["a", "A", " a", "a ", "a\n", "01", "1.0", "日", "'; --", "x" * 500]
        await colors.upsert(NOTES, [Record(one, [1.0, 0.0, 0.0], one) for one in ids])
        assert [record.text for record in await colors.get(NOTES, ids)] == ids
        assert await colors.count(NOTES) == len(COLORS) + len(ids)

    async def test_fields_may_be_called_like_parts_of_a_record(self, colors: VectorStore):
        fields = {"id": "x", "text": "y", "vector": 1, "fields": ["z"], "dates": "2026-01-01"}
        await colors.upsert(NOTES, [Record("5", [1.0, 0.0, 0.0], "t", fields)])
        assert await colors.get(NOTES, ["5"]) == [Record("5", [1.0, 0.0, 0.0], "t", fields)]
        (match,) = await colors.search(NOTES, [1.0, 0.0, 0.0], filter=where("id") == "x")
        assert (match.id, match.text, match.fields) == ("5", "t", fields)

    async def test_types_survive(self, colors: VectorStore):
        fields = {"t": True, "i": 1, "f": 1.0, "n": None, "l": ["1", 1, True, 0.5], "e": []}
        await colors.upsert(NOTES, [Record("5", [1.0, 0.0, 0.0], fields=fields)])
        (found,) = await colors.get(NOTES, ["5"])
        assert found.fields == fields
        assert [type(found.fields[name]) for name in "tif"] == [bool, int, float]

    async def test_vectors_keep_single_precision(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2, Metric.DOT)
        await store.upsert(NOTES, [Record("1", [0.1, -1e20])])
        (found,) = await store.get(NOTES, ["1"])
        assert found.vector == pytest.approx([0.1, -1e20], rel=1e-6)

    async def test_under_cosine_vectors_have_unit_length(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2)
        await store.upsert(NOTES, [Record("1", [3.0, 4.0])])
        (found,) = await store.get(NOTES, ["1"])
        assert found.vector == pytest.approx([0.6, 0.8], rel=1e-6)

    async def test_the_store_shares_nothing_with_its_caller(self, colors: VectorStore):
        fields = {"tags": ["a"]}
        record = Record("5", [1.0, 0.0, 0.0], fields=fields)
        await colors.upsert(NOTES, [record])
        fields["tags"].append("b")
        record.fields["tags"].append("b")
        (found,) = await colors.get(NOTES, ["5"])
        found.fields["tags"].append("b")
        (match,) = await colors.search(
            NOTES, [1.0, 0.0, 0.0], filter=~where("warm").exists(), limit=1
        )
        match.fields["tags"].append("b")
        assert (await colors.get(NOTES, ["5"]))[0].fields == {"tags": ["a"]}

    async def test_many_batches_in_one_call(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2)
        count = 2 * store.batch_size + 50
        many = [Record(str(i), [1.0, i / count], fields={"i": i}) for i in range(count)]
        await store.upsert(NOTES, many)
        assert await store.count(NOTES) == count
        ids = [str(i) for i in reversed(range(count))]
        assert [record.id for record in await store.get(NOTES, ids)] == ids
        assert {record.id async for record in store.scroll(NOTES)} == set(ids)
        await store.delete(NOTES, ids[:-1])
        assert await store.count(NOTES) == 1

    # update

    async def test_updating_sets_the_fields_named_and_leaves_the_rest(self, colors: VectorStore):
        assert await colors.update(NOTES, ["1", "absent", "1"], {"year": 2025, "new": ["x"]}) == 1
        (found,) = await colors.get(NOTES, ["1"])
        fields = {"warm": True, "year": 2025, "tags": ["a", "b"], "new": ["x"]}
        assert found == Record("1", COLORS[0].vector, "red", fields)
        assert await colors.count(NOTES, where("year") == 2025) == 1
        assert await colors.count(NOTES, where("new").exists()) == 1

    async def test_updating_by_a_filter_says_how_many(self, colors: VectorStore):
        asked = where("warm") == True  # noqa: E712 # builds a condition
        assert await colors.update(NOTES, asked, {"warm": False, "day": "2020-01-01"}) == 2
        assert await colors.update(NOTES, asked, {"year": 1}) == 0
        assert await colors.count(NOTES, where("day") < "2020-01-02") == 2

    async def test_a_field_set_to_none_is_taken_away(self, colors: VectorStore):
        assert await colors.update(NOTES, ["4"], {"day": None, "absent": None}) == 1
        (found,) = await colors.get(NOTES, ["4"])
        assert "day" not in found.fields
        assert await colors.count(NOTES, where("day") > "2000-01-01") == 0

    async def test_a_date_that_becomes_a_number_is_no_date(self, colors: VectorStore):
        await colors.update(NOTES, ["4"], {"day": 7, "a b.c": "2026-11-22"})
        assert await colors.count(NOTES, where("day") > "2000-01-01") == 0
        assert await colors.count(NOTES, where("day") == 7) == 1
        assert await colors.count(NOTES, where("a b.c") > "2026-11-21") == 1

    async def test_updating_nothing_changes_nothing(self, colors: VectorStore):
        assert await colors.update(NOTES, [], {"year": 1}) == 0
        assert await colors.update(NOTES, ["1"], {}) == 1
        assert await colors.get(NOTES, ["1"]) == COLORS[:1]

    # delete and count

    async def test_deleting_by_ids(self, colors: VectorStore):
        await colors.delete(NOTES, ["1", "absent", "1"])
        assert await colors.get(NOTES, ["1"]) == []
        assert await colors.count(NOTES) == 3

    async def test_deleting_by_filter(self, colors: VectorStore):
        await colors.delete(NOTES, where("warm") == True)  # noqa: E712 # builds a condition
        assert {record.id async for record in colors.scroll(NOTES)} == {"é/日本 3", "4"}

    async def test_a_deleted_record_may_return(self, colors: VectorStore):
        await colors.delete(NOTES, ["1"])
        await colors.upsert(NOTES, COLORS[:1])
        assert await colors.get(NOTES, ["1"]) == COLORS[:1]
        assert (await colors.search(NOTES, [1.0, 0.0, 0.0], limit=1))[0].id == "1"

    async def test_counting_with_a_filter(self, colors: VectorStore):
        assert await colors.count(NOTES, where("year") >= 2024) == 2
        assert await colors.count(NOTES, where("day") > "2026-11-20") == 1
        assert await colors.count(NOTES, where("absent") == "x") == 0

    # scroll

    async def test_scrolling_gives_every_record_once(self, colors: VectorStore):
        found = [record async for record in colors.scroll(NOTES)]
        assert sorted(record.id for record in found) == sorted(record.id for record in COLORS)
        assert next(record for record in found if record.id == "1") == COLORS[0]

    async def test_scrolling_passes_the_filter(self, colors: VectorStore):
        found = [record.text async for record in colors.scroll(NOTES, ~where("year").exists())]
        assert found == ["blue"]

    async def test_the_order_of_scrolling_stays(self, colors: VectorStore):
        first = [record.id async for record in colors.scroll(NOTES)]
        await colors.upsert(NOTES, COLORS[:1])
        assert [record.id async for record in colors.scroll(NOTES)] == first

    async def test_scrolling_may_stop_early(self, colors: VectorStore):
        scroll = colors.scroll(NOTES)
        assert (await anext(aiter(scroll))).id
        await colors.drop_collection(NOTES)

    async def test_scrolling_goes_on_behind_an_id(self, colors: VectorStore):
        whole = [record.id async for record in colors.scroll(NOTES)]
        first = [record.id async for record in colors.scroll(NOTES, limit=2)]
        rest = [record.id async for record in colors.scroll(NOTES, after=first[-1])]
        assert first + rest == whole

    async def test_scrolling_goes_on_behind_an_id_that_is_gone(self, colors: VectorStore):
        whole = [record.id async for record in colors.scroll(NOTES)]
        await colors.delete(NOTES, whole[1:2])
        rest = [record.id async for record in colors.scroll(NOTES, after=whole[1])]
        assert rest == whole[2:]

    async def test_scrolling_counts_those_that_pass(self, colors: VectorStore):
        asked = where("year").exists()
        found = [record.id async for record in colors.scroll(NOTES, asked, limit=2)]
        found += [record.id async for record in colors.scroll(NOTES, asked, after=found[-1])]
        assert sorted(found) == ["1", "2", "é/日本 3"]
