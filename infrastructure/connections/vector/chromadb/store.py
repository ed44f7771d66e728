"""Chroma: a server over HTTP, or embedded in this process."""

import asyncio
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import ConnectionType, PoolStats
from infrastructure.connections.vector.base import (
    Capabilities,
    Match,
    Metric,
    Place,
    Query,
    Record,
    Shape,
    VectorRegistry,
    VectorStore,
)
from infrastructure.connections.vector.chromadb.filters import where_of
from infrastructure.connections.vector.chromadb.local import LocalEngine
from infrastructure.connections.vector.chromadb.names import its_name, our_name
from infrastructure.connections.vector.chromadb.records import (
    chroma_id,
    kept_vector,
    matches_of,
    merged,
    metadata_of,
    records_of,
    replacing,
)
from infrastructure.connections.vector.chromadb.server import ServerEngine
from infrastructure.connections.vector.chromadb.settings import ChromadbSettings
from infrastructure.connections.vector.filters import Filter, Operator
from infrastructure.errors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    UnavailableError,
    UnsupportedError,
)

_SPACES = {Metric.COSINE: "ip", Metric.DOT: "ip", Metric.EUCLID: "l2"}
_ALL = ("documents", "embeddings", "metadatas")
#: Chroma counts in 32 bits.
_MOST_RESULTS = 2**31 - 1


@VectorRegistry.register(ConnectionType.CHROMADB)
class ChromadbVectorStore(VectorStore):
    """A collection of Chroma's each; what is stored is replaced whole.

    Chroma cannot look into the text of a field, and has no sparse vectors. A change of fields,
    and the replacement of a record, is a reading and a writing: calls of one store wait for each
    other there, those of several processes do not. A page of a scroll asks for all ids first.
    """

    Settings: ClassVar[type[VectorSettings]] = ChromadbSettings
    settings: ChromadbSettings
    capabilities = Capabilities(
        sparse=False, operators=frozenset(Operator) - frozenset({Operator.TEXT})
    )

    def __init__(self, settings: ChromadbSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._engine: LocalEngine | ServerEngine | None = None
        self._known: dict[str, tuple[Shape, Any]] = {}
        self._writing = asyncio.Lock()

    @property
    def closes_anywhere(self) -> bool:  # type: ignore[override]  # by its settings, not its class
        """A folder belongs to threads; connections belong to the loop they were opened in."""
        return self.settings.url is None

    @property
    def batch_size(self) -> int:
        """The most records that go in one round trip; never more than Chroma takes."""
        most = self._engine.max_batch_size if self._engine else 0
        return min(self.settings.batch_size, most or self.settings.batch_size)

    def pool_stats(self) -> PoolStats:
        """Calls in flight; zeros when not connected."""
        return self._engine.pool_stats() if self._engine else PoolStats(0, 0, 0)

    def _after_fork(self) -> None:
        """Be closed, in a forked child: a local engine's threads are its parent's."""
        super()._after_fork()
        self._engine = None

    async def _open(self) -> None:
        # a local engine belongs to its threads, not to a loop, and may hold the folder already
        if isinstance(self._engine, LocalEngine) and self._engine.settings != self.settings:
            await self._close()
        if not isinstance(self._engine, LocalEngine):
            engine = LocalEngine if self.settings.url is None else ServerEngine
            self._engine = engine(self.settings, self.name)
        self._writing = asyncio.Lock()
        await self._engine.open()
        try:
            await self._look_up_database()
        except BaseException:
            await self._close()
            raise

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        self._known.clear()
        if engine is not None:
            await engine.close()

    async def _ping(self) -> str:
        async with self.bounded():
            await self._look_up_database()
            found = await self._do("count_collections", **self._database)
        where = self.settings.url or self.settings.path or "memory"
        return f"{where}: {found} collections"

    async def _look_up_database(self) -> None:
        """Where there is none, a server says of its collections only that they are 0."""
        account, database = self.settings.account, self.settings.database
        try:
            await self._do("get_database", name=database, tenant=account)
        except NotFoundError as error:
            raise ConfigurationError(
                f"Chroma has no database '{database}' of '{account}'",
                where=self.name,
                hint="Create it there, or check account and database.",
            ) from error

    @property
    def _database(self) -> dict[str, str]:
        return {"tenant": self.settings.account, "database": self.settings.database}

    async def _create(self, collection: str, shape: Shape) -> bool:
        async with self._writing:  # embedded, Chroma says of one that exists only that it failed
            with suppress(NotFoundError):
                await self._shape_of(collection)
                return False
            return await self._created(collection, shape)

    async def _created(self, collection: str, shape: Shape) -> bool:
        try:
            await self._do(
                "create_collection",
                name=its_name(collection),
                configuration={"hnsw": {"space": _SPACES[shape.metric]}},
                metadata={
                    "dimensions": shape.dimensions,
                    "metric": str(shape.metric),
                    "tenants": shape.tenants,
                },
                get_or_create=False,
                **self._database,
            )
        except ConflictError:  # somebody created it meanwhile
            return False
        return True

    async def _shape_of(self, collection: str) -> Shape:
        self._known.pop(collection, None)
        found = await self._do("get_collection", name=its_name(collection), **self._database)
        kept = found.metadata or {}
        try:
            shape = Shape(kept["dimensions"], Metric(kept["metric"]), tenants=kept["tenants"])
        except (KeyError, ValueError) as error:
            raise ConflictError(
                f"collection '{collection}' was not created here",
                where=self.name,
                hint="Use another name.",
            ) from error
        self._known[collection] = shape, found.id
        return shape

    async def _drop(self, collection: str) -> bool:
        """Its records first, in batches.

        Of a collection that it drops whole, Chroma leaves the lists of fields behind, and records
        of other collections come to have them (chroma-core/chroma#7594).
        """
        try:
            place = Place(collection, await self._shape_of(collection))
            some = {"limit": self.batch_size, "include": []}
            while ids := (await self._on(place, "_get", **some))["ids"]:
                await self._on(place, "_delete", ids=ids)
            await self._do("delete_collection", name=its_name(collection), **self._database)
        except NotFoundError:
            return False
        finally:
            self._known.pop(collection, None)
        return True

    async def _names(self) -> Sequence[str]:
        found = await self._do("list_collections", **self._database)
        return [our_name(one.name) for one in found if "metric" in (one.metadata or {})]

    async def _write(self, place: Place, records: Sequence[Record]) -> None:
        ids = [chroma_id(place, record.id) for record in records]
        async with self._writing:
            there = await self._on(place, "_get", ids=ids, include=["metadatas"])
            old = dict(zip(there["ids"], there["metadatas"], strict=True))
            await self._on(
                place,
                "_upsert",
                ids=ids,
                embeddings=[kept_vector(place.shape.metric, record.vector) for record in records],
                metadatas=[
                    replacing(metadata_of(place, record.fields), old.get(one))
                    for one, record in zip(ids, records, strict=True)
                ],
                documents=[record.text for record in records],
            )

    async def _merge(
        self, place: Place, target: Sequence[str] | Filter, fields: Mapping[str, Any]
    ) -> int:
        async with self._writing:
            there = await self._on(
                place, "_get", **self._selected(place, target), include=["metadatas"]
            )
            ids, old = there["ids"], there["metadatas"]
            new = [merged(place, one, fields) for one in old]
            for start in range(0, len(ids), self.batch_size):
                some = slice(start, start + self.batch_size)
                await self._on(place, "_update", ids=ids[some], metadatas=new[some])
        return len(ids)

    async def _read(self, place: Place, ids: Sequence[str]) -> Sequence[Record]:
        return await self._stored(place, [chroma_id(place, one) for one in ids])

    async def _page(
        self, place: Place, filter: Filter | None, after: str, limit: int
    ) -> Sequence[Record]:
        """In the order of ids, which Chroma has none of its own for."""
        answer = await self._on(place, "_get", where=where_of(place, filter), include=[])
        before = chroma_id(place, after)
        behind = sorted(one for one in answer["ids"] if one > before)
        found: list[Record] = []
        while behind and len(found) < limit:  # some may be gone by now, and the page not the last
            some = slice(limit - len(found))
            found += await self._stored(place, behind[some])
            del behind[some]
        return found

    async def _remove(self, place: Place, target: Sequence[str] | Filter) -> None:
        await self._on(place, "_delete", **self._selected(place, target))

    async def _count(self, place: Place, filter: Filter | None) -> int:
        where = where_of(place, filter)
        if where is None:
            return int(await self._on(place, "_count"))
        answer = await self._on(place, "_get", where=where, include=[])
        return len(answer["ids"])

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
        if not isinstance(query, list):
            raise UnsupportedError("chromadb has no sparse vectors", where=self.name)
        answer = await self._on(
            place,
            "_query",
            query_embeddings=[array("f", kept_vector(place.shape.metric, query))],
            n_results=min(limit + offset, _MOST_RESULTS),
            where=where_of(place, filter),
            include=["documents", "metadatas", "distances"],
        )
        matches = matches_of(place, answer, self.name)[offset:]
        return [one for one in matches if min_score is None or one.score >= min_score]

    async def _stored(self, place: Place, ids: list[str]) -> list[Record]:
        answer = await self._on(place, "_get", ids=ids, include=list(_ALL))
        return sorted(records_of(place, answer, self.name), key=lambda record: record.id)

    def _selected(self, place: Place, target: Sequence[str] | Filter) -> dict[str, Any]:
        if isinstance(target, Filter):
            return {"where": where_of(place, target)}
        return {"ids": [chroma_id(place, one) for one in target]}

    async def _on(self, place: Place, method: str, **arguments: Any) -> Any:
        """Call on a collection; on its new one, where it was made anew elsewhere."""
        for _ in range(2):
            if place.collection not in self._known:
                await self._shape_of(place.collection)
            shape, number = self._known[place.collection]
            if shape != place.shape:
                break
            try:
                return await self._do(method, collection_id=number, **arguments, **self._database)
            except NotFoundError:
                self._known.pop(place.collection, None)
        raise NotFoundError(f"there is no collection '{place.collection}'", where=self.name)

    async def _do(self, method: str, **arguments: Any) -> Any:
        if self._engine is None:
            raise UnavailableError("closed while the call began", where=self.name)
        return await self._engine.call(method, **arguments)
