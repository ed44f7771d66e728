"""pgvector: vectors in PostgreSQL, in a schema of their own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import asyncpg

from infrastructure.connections.base import ConnectionType
from infrastructure.connections.vector.base import (
    Match,
    Metric,
    Place,
    Query,
    Record,
    Shape,
    SparseVector,
    VectorRegistry,
    VectorStore,
)
from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.fusion import depth
from infrastructure.connections.vector.pgvector.ask import Ask
from infrastructure.connections.vector.pgvector.catalogue import Catalogue
from infrastructure.connections.vector.pgvector.codecs import (
    kept_text,
    match_of,
    payload_of,
    record_of,
    row_of,
    sparse_bytes,
    vector_bytes,
)
from infrastructure.connections.vector.pgvector.connection import (
    LOCK,
    PgvectorSettings,
    VectorPool,
    together,
)
from infrastructure.connections.vector.pgvector.tables import COLUMNS, STAGE, VectorTable
from infrastructure.errors import NotFoundError

T = TypeVar("T")

#: From so many records on, a COPY is less work for the server than statements.
_COPY_FROM = 100


@VectorRegistry.register(ConnectionType.PGVECTOR)
class PgvectorVectorStore(VectorStore, VectorPool):
    """A table a collection; the fields as JSON under an index of their own.

    It is a PostgreSQL connection manager, too: `execute_query` and `session` work beside the
    vectors. Pages of a scroll are in the order of ids.
    """

    Settings: ClassVar[type[PgvectorSettings]] = PgvectorSettings
    settings: PgvectorSettings
    operations = frozenset({"reindex"})

    def __init__(self, settings: PgvectorSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._catalogue = Catalogue(settings.schema_name)
        self._tables: dict[str, VectorTable] = {}

    async def reindex(self, collection: str) -> None:
        """Make the indexes of a collection anew, while it is in use.

        For `index: ivfflat`, whose lists are made of the rows there are, once it has rows. It may
        take long: `timeout_seconds` bounds it. What one that was cut has left goes first.

        Raises:
            TransactionConflictError: Somebody else is doing it.
        """
        place = Place(collection, await self.shape(collection))
        async with self.calling():
            await self._on(place, _reindexed)

    async def _closed(self) -> None:
        self._tables.clear()
        await super()._closed()

    async def _create(self, collection: str, shape: Shape) -> bool:
        catalogue, settings = self._catalogue, self.settings
        made: int | None = None

        async def create(line: Any) -> bool:
            nonlocal made
            async with together(line):
                await line.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                for name, sql in catalogue.create.items():
                    if await line.fetchval(f"SELECT to_reg{name}") is None:
                        await line.execute(sql)
                number = await line.fetchval(
                    catalogue.add,
                    *(collection, shape.dimensions, str(shape.metric), shape.sparse, shape.tenants),
                )
                if number is None:  # or the answer was lost, and it was made by us
                    found = await line.fetchrow(catalogue.find, collection)
                    return found is not None and found["id"] == made
                made, table = number, self._table(number, shape)
                for sql in table.create(settings.index, settings.index_options()):
                    await line.execute(sql)
            self._tables[collection] = table
            return True

        return await self._run(create)

    async def _shape_of(self, collection: str) -> Shape:
        try:
            found = await self._run(lambda line: line.fetchrow(self._catalogue.find, collection))
        except asyncpg.UndefinedTableError:
            found = None
        if found is None:
            self._tables.pop(collection, None)
            raise self._not_found(collection)
        number, dimensions, metric, sparse, tenants = found
        shape = Shape(dimensions, Metric(metric), sparse, tenants)
        self._tables[collection] = self._table(number, shape)
        return shape

    async def _drop(self, collection: str) -> bool:
        was_there = False  # also where the answer was lost, and the next attempt finds none

        async def drop(line: Any) -> bool:
            nonlocal was_there
            async with together(line):
                number = await line.fetchval(self._catalogue.remove, collection)
                if number is not None:
                    was_there = True
                    await line.execute(self._catalogue.drop(number))
            return was_there

        self._tables.pop(collection, None)
        try:
            return await self._run(drop)
        except asyncpg.UndefinedTableError:
            return False

    async def _names(self) -> Sequence[str]:
        try:
            rows = await self._run(lambda line: line.fetch(self._catalogue.names))
        except asyncpg.UndefinedTableError:
            return []
        return [row[0] for row in rows]

    async def _write(self, place: Place, records: Sequence[Record]) -> None:
        rows = [row_of(place, record) for record in records]

        async def write(line: Any, table: VectorTable) -> None:
            if len(rows) < _COPY_FROM:
                await line.executemany(table.put, sorted(rows, key=lambda row: row[1]))
                return
            async with together(line):
                await line.execute(table.stage)
                await line.copy_records_to_table(
                    STAGE, schema_name="pg_temp", records=rows, columns=COLUMNS
                )
                await line.execute(table.take)

        await self._on(place, write)

    async def _merge(
        self, place: Place, target: Sequence[str] | Filter, fields: Mapping[str, Any]
    ) -> int:
        kept = {name: value for name, value in fields.items() if value is not None}
        names = [kept_text(name) for name in fields]
        status = await self._on(
            place,
            lambda line, table: _executed(
                line, table.merge(place, target, payload_of(kept), names)
            ),
        )
        return int(status.split()[-1])

    async def _read(self, place: Place, ids: Sequence[str]) -> Sequence[Record]:
        rows = await self._on(place, lambda line, table: _fetched(line, table.get(place, ids)))
        return [record_of(row) for row in rows]

    async def _page(
        self, place: Place, filter: Filter | None, after: str, limit: int
    ) -> Sequence[Record]:
        rows = await self._on(
            place, lambda line, table: _fetched(line, table.page(place, filter, after, limit))
        )
        return [record_of(row) for row in rows]

    async def _remove(self, place: Place, target: Sequence[str] | Filter) -> None:
        await self._on(place, lambda line, table: _executed(line, table.delete(place, target)))

    async def _count(self, place: Place, filter: Filter | None) -> int:
        rows = await self._on(place, lambda line, table: _fetched(line, table.count(place, filter)))
        return int(rows[0][0])

    async def _nearest(
        self,
        place: Place,
        query: Query,
        *,
        limit: int,
        offset: int,
        filter: Filter | None,
        min_score: float | None,
    ) -> list[Match]:
        window = (limit, offset)

        async def nearest(line: Any, table: VectorTable) -> Any:
            if isinstance(query, SparseVector):
                sparse = sparse_bytes(query)
                return await _fetched(line, table.nearest_sparse(place, sparse, window, filter))
            asked = vector_bytes(query)
            rows = await _fetched(line, table.nearest(place, asked, window, filter, exact=False))
            if len(rows) < limit:  # the index may have given up, or there is no more
                rows = await _fetched(line, table.nearest(place, asked, window, filter, exact=True))
            return rows

        matches = [match_of(row) for row in await self._on(place, nearest)]
        return [one for one in matches if min_score is None or one.score >= min_score]

    async def _hybrid(
        self,
        place: Place,
        vector: list[float],
        sparse: SparseVector,
        limit: int,
        filter: Filter | None,
    ) -> list[Match]:
        """Both rankings and their fusion in one statement."""
        asked = vector_bytes(vector), sparse_bytes(sparse)

        async def hybrid(line: Any, table: VectorTable) -> Any:
            rows = await _fetched(line, table.hybrid(place, asked, limit, filter, exact=False))
            if not rows or rows[0][-1] < depth(limit):  # as in `_nearest`
                rows = await _fetched(line, table.hybrid(place, asked, limit, filter, exact=True))
            return rows

        return [match_of(row[:-1]) for row in await self._on(place, hybrid)]

    async def _on(self, place: Place, work: Callable[[Any, VectorTable], Awaitable[T]]) -> T:
        """Do this on a collection's table; on its new one, where it was made anew elsewhere."""
        for _ in range(2):
            table = self._tables.get(place.collection)
            if table is None:
                await self._shape_of(place.collection)
                table = self._tables[place.collection]
            if table.shape != place.shape:
                break
            try:
                return await self._run(work, table)
            except asyncpg.UndefinedTableError:
                self._tables.pop(place.collection, None)
        raise self._not_found(place.collection)

    def _table(self, number: int, shape: Shape) -> VectorTable:
        return VectorTable(self.settings.schema_name, number, shape, self.driver.schema)

    def _not_found(self, collection: str) -> NotFoundError:
        return NotFoundError(f"there is no collection '{collection}'", where=self.name)


async def _reindexed(line: Any, table: VectorTable) -> None:
    # what one that was cut has left costs each write, and the next one passes it by
    for (name,) in await line.fetch(table.unfinished):
        await line.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    await line.execute(table.reindex)


async def _fetched(line: Any, ask: Ask) -> Sequence[Any]:
    rows: Sequence[Any] = await line.fetch(str(ask), *ask.values)
    return rows


async def _executed(line: Any, ask: Ask) -> str:
    status: str = await line.execute(str(ask), *ask.values)
    return status
