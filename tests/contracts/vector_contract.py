"""What every vector store promises."""

import asyncio
import math

import pytest

from infrastructure.connections.vector.base import Metric, Record, VectorStore
from infrastructure.connections.vector.filters import where
from infrastructure.errors import ConflictError, NotFoundError, RejectedError
from tests.contracts.connection_contract import ConnectionContract

NOTES = "notes"
COLORS = [
    Record("1", [1.0, 0.0, 0.0], "red", {"warm": True, "year": 2019, "tags": ["a", "b"]}),
    Record("2", [0.9, 0.1, 0.0], "orange", {"warm": True, "year": 2024, "tags": []}),
    Record("é/日本 3", [0.0, 1.0, 0.0], "green", {"warm": False, "year": 2024.5}),
    Record("4", [0.0, 0.0, 1.0], "blue", {"warm": None, "day": "2026-11-21"}),
]


class VectorContract(ConnectionContract):
    """Inherit, and supply the fixture `manager`: an empty store that was not opened yet."""

    @pytest.fixture
    async def store(self, manager: VectorStore):
        async with manager:
            yield manager

    @pytest.fixture
    async def colors(self, store: VectorStore):
        await store.ensure_collection(NOTES, 3)
        await store.upsert(NOTES, COLORS)
        return store

    # collections

    async def test_a_new_store_has_no_collections(self, store: VectorStore):
        assert await store.list_collections() == []

    async def test_ensuring_creates_once(self, store: VectorStore):
        assert await store.ensure_collection(NOTES, 3) is True
        assert await store.ensure_collection(NOTES, 3) is False

    async def test_many_ensure_at_once_and_one_creates(self, store: VectorStore):
        made = await asyncio.gather(*(store.ensure_collection(NOTES, 3) for _ in range(10)))
        assert sorted(made) == [False] * 9 + [True]

    async def test_collections_are_listed_by_name(self, store: VectorStore):
        for name in ("b", "C", "a-1.x_"):
            await store.ensure_collection(name, 2)
        assert await store.list_collections() == ["C", "a-1.x_", "b"]

    async def test_ensuring_keeps_what_is_stored(self, colors: VectorStore):
        await colors.ensure_collection(NOTES, 3)
        assert await colors.count(NOTES) == len(COLORS)

    async def test_other_dimensions_are_a_conflict(self, colors: VectorStore):
        with pytest.raises(ConflictError, match=r"3 dimensions.*asked for 4"):
            await colors.ensure_collection(NOTES, 4)

    async def test_another_metric_is_a_conflict(self, colors: VectorStore):
        with pytest.raises(ConflictError, match="cosine, asked for 3 and dot"):
            await colors.ensure_collection(NOTES, 3, Metric.DOT)

    async def test_a_collection_without_dimensions_is_refused(self, store: VectorStore):
        with pytest.raises(RejectedError):
            await store.ensure_collection(NOTES, 0)

    @pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "é", "x" * 129, "a\n"])
    async def test_a_name_that_is_no_name_is_refused(self, store: VectorStore, name: str):
        with pytest.raises(RejectedError, match="cannot name a collection"):
            await store.ensure_collection(name, 3)
        with pytest.raises(RejectedError, match="cannot name a collection"):
            await store.drop_collection(name)

    async def test_dropping_removes_everything(self, colors: VectorStore):
        assert await colors.drop_collection(NOTES) is True
        assert await colors.list_collections() == []
        await colors.ensure_collection(NOTES, 3)
        assert await colors.count(NOTES) == 0

    async def test_dropping_what_is_not_there_says_so(self, store: VectorStore):
        assert await store.drop_collection("absent") is False

    async def test_a_dropped_name_may_return_with_another_shape(self, colors: VectorStore):
        await colors.drop_collection(NOTES)
        assert await colors.ensure_collection(NOTES, 2, Metric.EUCLID) is True
        await colors.upsert(NOTES, [Record("1", [0.0, 0.0])])
        (match,) = await colors.search(NOTES, [3.0, 4.0])
        assert match.score == pytest.approx(-5.0)

    async def test_collections_do_not_see_each_other(self, colors: VectorStore):
        await colors.ensure_collection("other", 3)
        await colors.upsert("other", [Record("1", [0.0, 1.0, 0.0], "other")])
        assert [record.text for record in await colors.get(NOTES, ["1"])] == ["red"]

    async def test_every_call_names_a_collection_that_is_not_there(self, store: VectorStore):
        calls = [
            store.upsert("absent", COLORS[:1]),
            store.get("absent", ["1"]),
            store.delete("absent", ["1"]),
            store.delete("absent", where("a") == 1),
            store.count("absent"),
            store.search("absent", [1.0, 0.0, 0.0]),
            anext(aiter(store.scroll("absent"))),
        ]
        for call in calls:
            with pytest.raises(NotFoundError, match="absent"):
                await call

    # records

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

    async def test_a_wrong_length_lets_none_of_the_call_in(self, colors: VectorStore):
        records = [Record("5", [1.0, 0.0, 0.0]), Record("6", [1.0, 0.0])]
        with pytest.raises(RejectedError):
            await colors.upsert(NOTES, records)
        with pytest.raises(RejectedError):
            await colors.upsert(NOTES, [Record("6", [1.0, 0.0])])
        assert await colors.count(NOTES) == len(COLORS)

    async def test_nothing_is_nothing_to_do(self, colors: VectorStore):
        await colors.upsert(NOTES, [])
        await colors.delete(NOTES, [])
        assert await colors.get(NOTES, []) == []
        assert await colors.count(NOTES) == len(COLORS)

    async def test_one_id_alone_is_no_list_of_ids(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="sequence of text"):
            await colors.get(NOTES, "12")
        with pytest.raises(RejectedError, match="sequence of text"):
            await colors.delete(NOTES, "12")

    async def test_a_thousand_records_in_one_call(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2)
        many = [Record(str(i), [1.0, i / 1000], fields={"i": i}) for i in range(1000)]
        await store.upsert(NOTES, many)
        assert await store.count(NOTES) == 1000
        ids = [str(i) for i in reversed(range(1000))]
        assert [record.id for record in await store.get(NOTES, ids)] == ids
        assert {record.id async for record in store.scroll(NOTES)} == set(ids)
        await store.delete(NOTES, ids[:-1])
        assert await store.count(NOTES) == 1

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

    # search

    async def test_the_most_alike_come_first(self, colors: VectorStore):
        found = await colors.search(NOTES, [1.0, 0.0, 0.0], limit=2)
        assert [match.text for match in found] == ["red", "orange"]
        assert found[0].score == pytest.approx(1.0, abs=1e-6)

    async def test_a_match_has_text_and_fields(self, colors: VectorStore):
        (match,) = await colors.search(NOTES, [0.0, 0.0, 1.0], limit=1)
        assert (match.id, match.text) == ("4", "blue")
        assert match.fields == COLORS[3].fields

    async def test_a_limit_beyond_the_store_gives_all(self, colors: VectorStore):
        assert len(await colors.search(NOTES, [1.0, 1.0, 1.0], limit=1000)) == len(COLORS)

    async def test_an_empty_collection_gives_nothing(self, store: VectorStore):
        await store.ensure_collection(NOTES, 3)
        assert await store.search(NOTES, [1.0, 0.0, 0.0]) == []
        assert [record async for record in store.scroll(NOTES)] == []

    async def test_the_filter_is_applied_before_the_limit(self, colors: VectorStore):
        asked = where("warm") == False  # noqa: E712 # builds a condition
        (match,) = await colors.search(NOTES, [1.0, 0.0, 0.0], limit=1, filter=asked)
        assert match.text == "green"

    async def test_a_minimum_score_is_included(self, colors: VectorStore):
        everything = await colors.search(NOTES, [0.6, 0.8, 0.0])
        bound = everything[1].score
        found = await colors.search(NOTES, [0.6, 0.8, 0.0], min_score=bound)
        assert [match.score for match in found] == [match.score for match in everything[:2]]
        assert await colors.search(NOTES, [1.0, 0.0, 0.0], min_score=1.5) == []

    async def test_dot_scores_by_length_too(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2, Metric.DOT)
        await store.upsert(NOTES, [Record("short", [1.0, 0.0]), Record("long", [3.0, 3.0])])
        found = await store.search(NOTES, [1.0, 0.0])
        assert [(match.id, match.score) for match in found] == [("long", 3.0), ("short", 1.0)]

    async def test_euclid_scores_minus_the_distance(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2, Metric.EUCLID)
        await store.upsert(NOTES, [Record("far", [3.0, 4.0]), Record("near", [0.0, 1.0])])
        found = await store.search(NOTES, [0.0, 0.0])
        assert [match.id for match in found] == ["near", "far"]
        assert [match.score for match in found] == pytest.approx([-1.0, -5.0])
        near = await store.search(NOTES, [0.0, 0.0], min_score=-1.0)
        assert [match.id for match in near] == ["near"]
        assert await store.search(NOTES, [0.0, 0.0], min_score=0.5) == []

    async def test_a_vector_of_zeros_is_like_nothing(self, colors: VectorStore):
        await colors.upsert(NOTES, [Record("0", [0.0, 0.0, 0.0])])
        found = await colors.search(NOTES, [1.0, 1.0, 1.0])
        assert {match.id: match.score for match in found}["0"] == 0.0
        asked_for_nothing = await colors.search(NOTES, [0.0, 0.0, 0.0])
        assert all(math.isclose(match.score, 0.0) for match in asked_for_nothing)

    async def test_a_query_of_another_length_is_refused(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="2 dimensions, expected 3"):
            await colors.search(NOTES, [1.0, 0.0])

    @pytest.mark.parametrize("vector", [[], [math.nan] * 3, [math.inf, 0.0, 0.0], ["x"], None])
    async def test_a_query_that_is_no_vector_is_refused(self, colors: VectorStore, vector):
        with pytest.raises(RejectedError, match="query vector"):
            await colors.search(NOTES, vector)

    @pytest.mark.parametrize("limit", [0, -1])
    async def test_a_limit_below_one_is_refused(self, colors: VectorStore, limit: int):
        with pytest.raises(RejectedError, match="limit"):
            await colors.search(NOTES, [1.0, 0.0, 0.0], limit=limit)

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

    # many at once

    async def test_many_tasks_write_and_read_at_once(self, colors: VectorStore):
        async def write_and_find(i: int) -> bool:
            await colors.upsert(NOTES, [Record(f"t{i}", [1.0, 0.0, 0.0], fields={"i": i})])
            found = await colors.search(NOTES, [1.0, 0.0, 0.0], filter=where("i") == i)
            return [match.id for match in found] == [f"t{i}"]

        assert all(await asyncio.gather(*(write_and_find(i) for i in range(30))))
        assert await colors.count(NOTES) == len(COLORS) + 30

    async def test_a_cancelled_search_leaves_it_usable(self, colors: VectorStore):
        search = asyncio.create_task(colors.search(NOTES, [1.0, 0.0, 0.0]))
        await asyncio.sleep(0)
        search.cancel()
        await asyncio.wait((search,))
        assert await colors.count(NOTES) == len(COLORS)
        assert colors.pool_stats().in_use == 0
