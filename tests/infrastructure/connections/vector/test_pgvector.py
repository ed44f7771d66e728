"""pgvector on a real PostgreSQL: every promise of the port, and its own."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.vector.base import Metric, Record, SparseVector
from infrastructure.connections.vector.filters import AllOf, AnyOf, Filter, matches, where
from infrastructure.connections.vector.fusion import depth, fused
from infrastructure.connections.vector.pgvector import PgvectorSettings, PgvectorVectorStore
from infrastructure.connections.vector.pgvector.codecs import (
    fields_of,
    given_text,
    kept_text,
    payload_of,
)
from infrastructure.connections.vector.pgvector.connection import VectorDriver
from infrastructure.errors import (
    ConfigurationError,
    DeadlineExceededError,
    NotFoundError,
    RejectedError,
    UnsupportedError,
)
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.vector_fixtures import Embedding
from tests.contracts.vector_one_store import VectorOneStoreContract
from tests.infrastructure.connections.vector.filter_strategies import fields, filters

NOTES = "notes"
_schemas = (f"vectors_{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """One for all tests here: each has a schema of its own in it."""
    return postgres.create_database()


@pytest.fixture
async def store(database: str):
    async with store_of(database) as store:
        yield store


def store_of(url: str, **changed: object) -> PgvectorVectorStore:
    found = {"url": url, "schema_name": next(_schemas), **changed}
    return PgvectorVectorStore(PgvectorSettings.model_validate(found), name="vector.default")


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def opened(database: str):
    async with store_of(database) as store:
        yield store


class TestPgvector(VectorOneStoreContract):
    @pytest.fixture
    def manager(self, database: str) -> PgvectorVectorStore:
        return store_of(database)


# search


def some_records(count: int, dimensions: int) -> list[Record]:
    chance = random.Random(7)
    return [
        Record(str(i), [chance.gauss(0, 1) for _ in range(dimensions)], fields={"n": i % 100})
        for i in range(count)
    ]


class Forced(VectorDriver):
    """Connections that search by the index of the vectors whatever it costs."""

    sets: tuple[str, ...] = ("enable_seqscan = off", "enable_bitmapscan = off", "enable_sort = off")

    async def connect(self, settings: PostgresSettings) -> Any:
        connection = await super().connect(settings)
        for one in self.sets:
            await connection.execute(f"SET {one}")
        return connection


class Exhausted(Forced):
    """And whose index gives up after what it finds first."""

    sets = (*Forced.sets, "hnsw.iterative_scan = off", "hnsw.ef_search = 10")


@pytest.mark.parametrize("driver", [Forced, Exhausted])
async def test_a_filter_that_few_pass_still_fills_the_limit(
    database: str, driver: type[VectorDriver]
):
    records = some_records(400, 4)
    store = store_of(database)
    store.driver = driver(store.name)
    async with store:
        await store.ensure_collection(NOTES, 4, sparse=True)
        await store.upsert(NOTES, records)
        passing = where("n") == 7  # 4 of 400
        found = await store.search(NOTES, records[0].vector, filter=passing, limit=4)
        assert [match.fields["n"] for match in found] == [7] * 4
        assert [match.score for match in found] == sorted((m.score for m in found), reverse=True)
        nothing = SparseVector([1], [1.0])  # so that all is found by the other ranking
        both = await store.search(NOTES, records[0].vector, sparse=nothing, filter=passing, limit=4)
        assert [match.id for match in both] == [match.id for match in found]


async def test_a_scan_of_the_index_goes_on_until_enough_pass(store: PgvectorVectorStore):
    assert await store.execute_query("SHOW hnsw.iterative_scan") == [
        {"hnsw.iterative_scan": "strict_order"}
    ]


@pytest.mark.parametrize("index", ["hnsw", "ivfflat", "none"])
async def test_every_index_finds_the_nearest(database: str, index: str):
    async with store_of(database, index=index, ivfflat_lists=4) as store:
        records = some_records(200, 4)
        await store.ensure_collection(NOTES, 4, Metric.EUCLID)
        await store.upsert(NOTES, records)
        await store.reindex(NOTES)
        (nearest,) = await store.search(NOTES, records[5].vector, limit=1)
        assert (nearest.id, nearest.score) == ("5", 0.0)


async def test_a_reindex_takes_away_what_one_that_was_cut_has_left(database: str):
    schema = next(_schemas)
    async with store_of(database, schema_name=schema) as store:
        await store.ensure_collection(NOTES, 4)
        async with store.session() as writer:  # it is waited for, once the new indexes are there
            await writer.execute_query(f"LOCK TABLE {schema}.vectors_1 IN ROW EXCLUSIVE MODE")
            async with store_of(database, schema_name=schema, timeout_seconds=0.3) as hasty:
                await hasty.count(NOTES)
                with pytest.raises(DeadlineExceededError):
                    await hasty.reindex(NOTES)
        assert await indexes(store, schema) > 3
        await store.reindex(NOTES)
        assert await indexes(store, schema) == 3


async def indexes(store: PgvectorVectorStore, schema: str) -> int:
    sql = "SELECT 1 FROM pg_indexes WHERE schemaname = :schema AND tablename <> 'collections'"
    return len(await store.execute_query(sql, {"schema": schema}))


async def test_beyond_2000_dimensions_the_index_has_half_the_precision_and_scores_have_not(
    store: PgvectorVectorStore,
):
    await store.ensure_collection(NOTES, 2500, Metric.EUCLID)
    one = [0.0] * 2500
    near, nearer = [0.0001, *one[1:]], [0.00005, *one[1:]]
    await store.upsert(NOTES, [Record("near", near), Record("nearer", nearer)])
    found = await store.search(NOTES, one)
    assert [match.id for match in found] == ["nearer", "near"]
    assert [match.score for match in found] == pytest.approx([-0.00005, -0.0001], rel=1e-5)


async def test_too_many_dimensions_for_an_index_or_for_pgvector_are_told(database: str):
    async with store_of(database) as store:
        with pytest.raises(UnsupportedError, match=r"up to 4000 .* index 'hnsw'.*index: none"):
            await store.ensure_collection(NOTES, 4001)
        assert await store.list_collections() == []
    async with store_of(database, index="none") as store:
        assert await store.ensure_collection(NOTES, 4001)
        with pytest.raises(UnsupportedError, match="up to 16000"):
            await store.ensure_collection("more", 16_001)


async def test_one_statement_fuses_as_two_searches_would(store: PgvectorVectorStore):
    chance = random.Random(3)
    records = [
        Record(
            str(i),
            [chance.gauss(0, 1) for _ in range(4)],
            sparse=SparseVector.of({chance.randrange(9): chance.random() + 0.1, 10 + i: 0.5}),
        )
        for i in range(60)
    ]
    await store.ensure_collection(NOTES, 4, sparse=True)
    await store.upsert(NOTES, records)
    dense, sparse = [1.0, 0.5, 0.0, -1.0], SparseVector([0, 3, 15], [1.0, 0.7, 2.0])
    both = await store.search(NOTES, dense, sparse=sparse, limit=5)
    rankings = [
        await store.search(NOTES, dense, limit=depth(5)),
        await store.search(NOTES, sparse=sparse, limit=depth(5)),
    ]
    assert {match.id: match.score for match in both}.keys() <= {m.id for m in fused(rankings)}
    expected = [match.score for match in fused(rankings)[:5]]
    assert [match.score for match in both] == pytest.approx(expected)


# tables


async def test_those_who_ensure_at_once_on_an_empty_database_make_one_collection(
    postgres: PostgresServer,
):
    url, schema = postgres.create_database(), next(_schemas)

    async def ensured() -> bool:
        async with store_of(url, schema_name=schema) as store:
            return await store.ensure_collection(NOTES, 3)

    assert sorted(await asyncio.gather(*(ensured() for _ in range(4)))) == [False] * 3 + [True]


async def test_a_collection_made_anew_elsewhere_is_used_from_the_next_call_on(database: str):
    schema = next(_schemas)
    async with store_of(database, schema_name=schema) as one:
        await one.ensure_collection(NOTES, 2)
        await one.upsert(NOTES, [Record("old", [1.0, 0.0])])
        async with store_of(database, schema_name=schema) as other:
            await other.drop_collection(NOTES)
            await other.ensure_collection(NOTES, 2)
        assert await one.count(NOTES) == 0
        async with store_of(database, schema_name=schema) as other:
            await other.drop_collection(NOTES)
            await other.ensure_collection(NOTES, 3)
        with pytest.raises(NotFoundError):
            await one.count(NOTES)
        await one.upsert(NOTES, [Record("new", [1.0, 0.0, 0.0])])


async def test_a_collection_divided_by_tenants_meanwhile_takes_no_record_of_nobody(
    store: PgvectorVectorStore,
):
    async def divide() -> None:
        await store.drop_collection(NOTES)
        await store.ensure_collection(NOTES, 1, tenants=True)

    store.embedder = Embedding([[1.0]], meanwhile=divide)
    await store.ensure_collection(NOTES, 1)
    with pytest.raises(NotFoundError):
        await store.upsert(NOTES, [Record("1", text="whose?")])
    table = store._tables[NOTES].name
    assert await store.execute_query(f"SELECT count(*) FROM {table}") == [{"count": 0}]


async def test_who_created_or_dropped_says_so_also_when_the_answer_was_lost(
    store: PgvectorVectorStore, monkeypatch: pytest.MonkeyPatch
):
    whole = asyncpg.Connection.execute
    lost: list[str] = []

    async def execute(line: asyncpg.Connection, sql: str, *values: Any, **given: Any) -> str:
        status: str = await whole(line, sql, *values, **given)
        if sql == "COMMIT" and len(lost) % 2 == 0:
            lost.append(sql)
            line.terminate()
            raise asyncpg.ConnectionDoesNotExistError
        lost.extend(["and again"] if sql == "COMMIT" else [])
        return status

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    assert await store.ensure_collection(NOTES, 2) is True
    assert await store.ensure_collection(NOTES, 2) is False
    assert await store.drop_collection(NOTES) is True
    assert lost == ["COMMIT", "and again"] * 2


@pytest.mark.parametrize("limit", [2**63, 10**30])
async def test_a_limit_above_what_the_server_counts_to_is_all(
    store: PgvectorVectorStore, limit: int
):
    await store.ensure_collection(NOTES, 2, sparse=True)
    sparse = SparseVector([1], [1.0])
    await store.upsert(NOTES, [Record("1", [1.0, 0.0], sparse=sparse)])
    for query in ({"vector": [1.0, 0.0]}, {"sparse": sparse}):
        assert len(await store.search(NOTES, **query, limit=limit)) == 1
        assert await store.search(NOTES, **query, offset=limit) == []
    assert len(await store.search(NOTES, [1.0, 0.0], sparse=sparse, limit=limit)) == 1


async def test_a_filter_may_name_many_values(store: PgvectorVectorStore):
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, [Record(str(i), [1.0], fields={"i": i}) for i in range(3)])
    many = [*range(1, 3), *range(10, 20_000)]
    assert await store.count(NOTES, where("i").is_in(many)) == 2
    assert await store.count(NOTES, AnyOf(tuple(where("i") == one for one in many))) == 2


async def test_two_writers_of_the_same_records_in_two_orders_do_not_lock_each_other_out(
    store: PgvectorVectorStore,
):
    records = [Record(str(i), [float(i), 1.0]) for i in range(150)]
    await store.ensure_collection(NOTES, 2)
    orders = [records, records[::-1], records[:50], records[50::-1]]
    await asyncio.gather(*(store.upsert(NOTES, order) for order in orders * 2))
    assert await store.count(NOTES) == len(records)


async def test_an_id_too_long_for_the_index_is_refused_alone(store: PgvectorVectorStore):
    chance = random.Random(5)
    long = "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(3000))
    await store.ensure_collection(NOTES, 2)
    with pytest.raises(RejectedError):
        await store.upsert(NOTES, [Record(long, [1.0, 0.0])])


async def test_it_is_a_postgres_manager_too(store: PgvectorVectorStore):
    await store.ensure_collection(NOTES, 2)
    await store.upsert(NOTES, [Record("1", [1.0, 0.0], "text")])
    (row,) = await store.execute_query(
        f"SELECT text FROM {store.settings.schema_name}.vectors_1 WHERE id = :id", {"id": "1"}
    )
    assert row == {"text": "text"}


@pytest.mark.parametrize("text", ["", "a\0b", "\0", "\ufdd0", "\ufdd0\ufdd1\0", "\\u0000"])
def test_text_that_the_database_cannot_keep_comes_back(text: str):
    assert "\0" not in kept_text(text)
    assert given_text(kept_text(text)) == text
    fields = {text or "x": [text, 1], "plain": text}
    assert "\\u0000" not in payload_of(fields).replace("\\\\", "")
    assert fields_of(payload_of(fields)) == fields


# what the server has, or has not


async def test_a_user_who_may_not_create_the_extension_is_told_who_may(postgres: PostgresServer):
    url = postgres.create_database()
    parts = urlsplit(url)
    async with store_of(url) as owner:
        await owner.execute_query("DROP EXTENSION vector")
        await owner.execute_query("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = parts._replace(netloc=f"guest:guest@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(ConfigurationError, match=r"may not create it.*CREATE EXTENSION vector"):
        await store_of(guest).connect()
    async with store_of(url):
        pass
    async with store_of(guest) as store:
        assert await store.list_collections() == []
        with pytest.raises(RejectedError, match="permission denied"):
            await store.ensure_collection(NOTES, 2)


async def test_a_server_without_pgvector_is_told_apart(postgres: PostgresServer):
    url = postgres.create_database()
    name = urlsplit(url).path.strip("/")
    async with store_of(url) as store:
        await store.execute_query("DROP EXTENSION vector")
        await store.execute_query(f"ALTER DATABASE {name} SET extension_control_path = '/nowhere'")
    with pytest.raises(ConfigurationError, match="is not installed on the PostgreSQL server"):
        await store_of(url).connect()


async def test_the_health_check_tells_both_versions(store: PgvectorVectorStore):
    assert "with pgvector 0." in (await store.health_check()).detail


@pytest.mark.parametrize(
    "wrong",
    [
        {"driver": "psycopg"},
        {"pgbouncer": True},
        {"schema_name": "no schema"},
        {"schema_name": "x" * 64},
        {"index": "btree"},
        {"hnsw_m": 50, "hnsw_ef_construction": 64},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        PgvectorSettings.model_validate({"url": "postgresql://u:p@h/d", **wrong})


# filters


@settings(max_examples=30)
@given(st.lists(fields, min_size=1, max_size=8), st.lists(filters, min_size=1, max_size=5))
def test_it_finds_what_the_reference_finds(
    shared: tuple[asyncio.Runner, PgvectorVectorStore],
    all_fields: list[dict[str, Any]],
    asked: list[Filter],
):
    runner, store = shared
    records = [Record(str(i), [1.0], fields=one) for i, one in enumerate(all_fields)]

    async def found() -> None:
        await store.delete(NOTES, AllOf())
        await store.upsert(NOTES, records)
        assert [one.fields async for one in store.scroll(NOTES)] == all_fields
        for one in asked:
            expected = {record.id for record in records if matches(one, record.fields)}
            assert {match.id for match in await store.search(NOTES, [1.0], filter=one)} == expected

    runner.run(found())


@pytest.fixture(scope="module")
def shared(database: str) -> Iterator[tuple[asyncio.Runner, PgvectorVectorStore]]:
    """A loop, and a store with one collection that is open in it."""
    store = store_of(database)
    with asyncio.Runner() as runner:
        runner.run(store.ensure_collection(NOTES, 1))
        yield runner, store
        runner.run(store.disconnect())
