"""Qdrant: a server over HTTP or gRPC, or the vendor's local mode in this process."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from qdrant_client import models

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import ConnectionType, PoolStats
from infrastructure.connections.vector.asking import Query
from infrastructure.connections.vector.base import VectorRegistry, VectorStore
from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.fusion import depth, fused
from infrastructure.connections.vector.qdrant.filters import DATES, FIELDS, payload_key
from infrastructure.connections.vector.qdrant.local import LocalEngine
from infrastructure.connections.vector.qdrant.points import (
    SPARSE,
    TENANT,
    arguments_of,
    changes_of,
    following,
    match_of,
    passing,
    point_id,
    point_of,
    query_of,
    records_of,
    selected,
    shape_of,
)
from infrastructure.connections.vector.qdrant.server import ServerEngine
from infrastructure.connections.vector.qdrant.settings import FieldIndex, QdrantSettings
from infrastructure.connections.vector.records import Match, Metric, Place, Record, Shape
from infrastructure.connections.vector.sparse import SparseVector
from infrastructure.errors import (
    NotFoundError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

#: Room for the rounding of single precision below a score's bound.
_SLACK = 1e-6
#: Ids are short, so that many fit into a page, and into a change.
IDS_A_PAGE = 10_000

_INDEXES = {
    FieldIndex.KEYWORD: (FIELDS, models.PayloadSchemaType.KEYWORD),
    FieldIndex.NUMBER: (FIELDS, models.PayloadSchemaType.FLOAT),
    FieldIndex.BOOLEAN: (FIELDS, models.PayloadSchemaType.BOOL),
    FieldIndex.DATE: (DATES, models.PayloadSchemaType.FLOAT),
}


@VectorRegistry.register(ConnectionType.QDRANT)
class QdrantVectorStore(VectorStore):
    """Records as points; those written by others, in another shape, cannot be read."""

    Settings: ClassVar[type[VectorSettings]] = QdrantSettings
    settings: QdrantSettings

    def __init__(self, settings: QdrantSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._engine: LocalEngine | ServerEngine | None = None

    @property
    def closes_anywhere(self) -> bool:  # type: ignore[override]  # by its settings, not its class
        """A folder belongs to a thread; connections belong to the loop they were opened in."""
        return self.settings.url is None

    def pool_stats(self) -> PoolStats:
        """Calls in flight; zeros when not connected."""
        return self._engine.pool_stats() if self._engine else PoolStats(0, 0, 0)

    def _after_fork(self) -> None:
        """Be closed, in a forked child: a local engine's threads are its parent's."""
        super()._after_fork()
        self._engine = None

    async def _open(self) -> None:
        if isinstance(self._engine, LocalEngine) and self._engine.settings != self.settings:
            await self._close()  # it was tried in vain, or left open in a loop that is gone
        # a local engine belongs to its thread, not to a loop, and may hold the folder already
        if not isinstance(self._engine, LocalEngine):
            engine = LocalEngine if self.settings.url is None else ServerEngine
            self._engine = engine(self.settings, self.name)
        await self._engine.open()

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    async def _ping(self) -> str:
        async with self.bounded():
            found = await self._do("get_collections")
        where = self.settings.url or self.settings.path or "memory"
        return f"{where}: {len(found.collections)} collections"

    async def _do(self, method: str, **arguments: Any) -> Any:
        if self._engine is None:
            raise UnavailableError("closed while the call began", where=self.name)
        return await self._engine.call(method, **arguments)

    async def _create(self, collection: str, shape: Shape) -> bool:
        try:
            await self._do("create_collection", collection_name=collection, **arguments_of(shape))
        except RejectedError as error:
            # somebody may have created it meanwhile; if not, the refusal counts
            try:
                await self._do("get_collection", collection_name=collection)
            except NotFoundError:
                raise error from error.__cause__
            return False
        if not shape.tenants:
            return True
        found = await self._shape_of(collection)
        if found == replace(shape, tenants=False):
            await self._drop(collection)
            raise UnsupportedError(
                "this Qdrant server keeps no metadata of collections, by which tenants are known",
                where=self.name,
                hint="Tenants need Qdrant 1.16 or later.",
            )
        return found == shape  # else somebody has made it anew meanwhile

    async def _complete(self, collection: str, shape: Shape) -> None:
        """Have the server look fields up instead of reading every record; local mode reads."""
        wanted = self._indexes(shape)
        if not wanted:
            return
        found = await self._do("get_collection", collection_name=collection)
        for key, schema in wanted.items():
            if key in found.payload_schema:
                continue
            await self._do(
                "create_payload_index",
                collection_name=collection,
                field_name=key,
                field_schema=schema,
                wait=True,
            )

    def _indexes(self, shape: Shape) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        if self.settings.url is None:
            return wanted
        for name, holds in self.settings.indexes.items():
            part, schema = _INDEXES[holds]
            wanted[payload_key(part, name)] = schema
        if shape.tenants:
            wanted[TENANT] = models.KeywordIndexParams(
                type=models.KeywordIndexType.KEYWORD, is_tenant=True
            )
        return wanted

    async def _shape_of(self, collection: str) -> Shape:
        found = await self._do("get_collection", collection_name=collection)
        return shape_of(collection, found.config, self.name)

    async def _drop(self, collection: str) -> bool:
        try:
            return bool(await self._do("delete_collection", collection_name=collection))
        except NotFoundError:
            return False

    async def _names(self) -> Sequence[str]:
        found = await self._do("get_collections")
        return [one.name for one in found.collections]

    async def _write(self, place: Place, records: Sequence[Record]) -> None:
        points = [point_of(place, record) for record in records]
        await self._do("upsert", collection_name=place.collection, points=points, wait=True)

    async def _merge(
        self, place: Place, target: Sequence[str] | Filter, fields: dict[str, Any]
    ) -> int:
        count = 0
        async for ids in self._ids(place, target):
            if changes := changes_of(fields, ids):
                await self._do(
                    "batch_update_points",
                    collection_name=place.collection,
                    update_operations=changes,
                    wait=True,
                )
            count += len(ids)
        return count

    async def _ids(self, place: Place, target: Sequence[str] | Filter) -> AsyncIterator[list[Any]]:
        """Pages of the points there are: of some ids, or that pass; a change moves none of them."""
        plain = {"with_payload": False, "with_vectors": False}
        if not isinstance(target, Filter):
            asked = [point_id(place, one) for one in target]
            points = await self._do(
                "retrieve", collection_name=place.collection, ids=asked, **plain
            )
            if points:
                yield [point.id for point in points]
            return
        offset = None
        while True:
            points, offset = await self._do(
                "scroll",
                collection_name=place.collection,
                scroll_filter=selected(place, target),
                limit=IDS_A_PAGE,
                offset=offset,
                **plain,
            )
            if points:
                yield [point.id for point in points]
            if offset is None:
                return

    async def _read(self, place: Place, ids: Sequence[str]) -> Sequence[Record]:
        points = await self._do(
            "retrieve",
            collection_name=place.collection,
            ids=[point_id(place, one) for one in ids],
            with_payload=True,
            with_vectors=True,
        )
        return records_of(points, self.name)

    async def _remove(self, place: Place, target: Sequence[str] | Filter) -> None:
        selector: Any
        if isinstance(target, Filter):
            selector = models.FilterSelector(filter=passing(place, target))
        else:
            selector = models.PointIdsList(points=[point_id(place, one) for one in target])
        await self._do(
            "delete", collection_name=place.collection, points_selector=selector, wait=True
        )

    async def _count(self, place: Place, filter: Filter | None) -> int:
        answer = await self._do(
            "count",
            collection_name=place.collection,
            count_filter=selected(place, filter),
            exact=True,
        )
        return int(answer.count)

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
        sign = _sign(place, query)
        answer = await self._do(
            "query_points",
            collection_name=place.collection,
            query=query_of(query),
            using=_using(query),
            query_filter=selected(place, filter),
            limit=limit,
            offset=offset or None,
            with_payload=True,
            score_threshold=_threshold(min_score, sign),
        )
        matches = [match_of(point, sign, self.name) for point in answer.points]
        return [match for match in matches if min_score is None or match.score >= min_score]

    async def _hybrid(
        self,
        place: Place,
        vector: list[float],
        sparse: SparseVector,
        limit: int,
        filter: Filter | None,
    ) -> list[Match]:
        """Both searches in one round trip; fused here, for the server has a formula of its own."""
        requests = [
            models.QueryRequest(
                query=query_of(query),
                using=_using(query),
                filter=selected(place, filter),
                limit=depth(limit),
                with_payload=True,
            )
            for query in (vector, sparse)
        ]
        answers = await self._do(
            "query_batch_points", collection_name=place.collection, requests=requests
        )
        return fused([[match_of(one, 1.0, self.name) for one in each.points] for each in answers])

    async def _page(
        self, place: Place, filter: Filter | None, after: str, limit: int
    ) -> Sequence[Record]:
        """By the UUIDs of their ids."""
        points, _ = await self._do(
            "scroll",
            collection_name=place.collection,
            scroll_filter=selected(place, filter),
            limit=limit,
            offset=following(place, after),
            with_payload=True,
            with_vectors=True,
        )
        return records_of(points, self.name)


def _sign(place: Place, query: Query) -> float:
    """Qdrant gives distances where ours are minus those."""
    is_distance = place.shape.metric is Metric.EUCLID and not isinstance(query, SparseVector)
    return -1.0 if is_distance else 1.0


def _using(query: Query) -> str | None:
    return SPARSE if isinstance(query, SparseVector) else None


def _threshold(min_score: float | None, sign: float) -> float | None:
    """The vendor's bound, which excludes the score itself: a little looser than ours."""
    if min_score is None:
        return None
    return sign * (min_score - _SLACK * max(1.0, abs(min_score)))
