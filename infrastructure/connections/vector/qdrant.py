"""Qdrant: a server over HTTP, or the vendor's local mode in this process."""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from qdrant_client import models

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import ConnectionType, PoolStats
from infrastructure.connections.vector.base import (
    Match,
    Metric,
    Record,
    VectorRegistry,
    VectorStore,
)
from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.qdrant_filters import DATES, FIELDS, dates_of, translate
from infrastructure.connections.vector.qdrant_local import LocalEngine
from infrastructure.connections.vector.qdrant_server import ServerEngine
from infrastructure.errors import (
    ConflictError,
    DataError,
    NotFoundError,
    RejectedError,
    UnavailableError,
)

#: Our ids are any text, Qdrant's are UUIDs: this is the namespace they are made in.
NAMESPACE = uuid.UUID("6f1d3c5e-0d4b-5b0e-9a53-2f6f8c0a7d11")

_DISTANCES = {
    Metric.COSINE: models.Distance.COSINE,
    Metric.DOT: models.Distance.DOT,
    Metric.EUCLID: models.Distance.EUCLID,
}
_METRICS = {distance: metric for metric, distance in _DISTANCES.items()}
#: Room for the rounding of single precision below a score's bound.
_SLACK = 1e-6


class QdrantSettings(VectorSettings):
    """A Qdrant server (`url`), a folder (`path`), or memory when neither is set.

    Memory is gone with `disconnect()`. A folder serves one store at a time, and must not be
    writable by others: what is in it is unpickled.
    """

    kind: str = "qdrant"
    path: Path | None = Field(default=None, description="Folder of the local mode.")
    url: str | None = Field(
        default=None, description="Server, such as http://localhost:6333; 6333 is the default port."
    )
    api_key: SecretStr | None = Field(default=None, description="Key of the server; needs url.")
    pool_size: int = Field(default=10, ge=1, description="Most calls to the server at once.")
    batch_size: int = Field(default=256, ge=1, description="Records in one upsert or page.")

    @field_validator("url")
    @classmethod
    def _is_plain_address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://-")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            msg = "is not an address such as http://localhost:6333"
            raise ValueError(msg)
        if "@" in parts.netloc or parts.query or parts.fragment:
            msg = "holds more than an address; put a key in api_key"
            raise ValueError(msg)
        return url

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if self.path is not None and self.url is not None:
            msg = "path and url exclude each other; set one, or neither for memory"
            raise ValueError(msg)
        if self.api_key is not None and self.url is None:
            msg = "api_key is for a server; set url"
            raise ValueError(msg)
        return self


@VectorRegistry.register(ConnectionType.QDRANT)
class QdrantVectorStore(VectorStore):
    """Records as points: the id as a UUID made from it; id, text and fields in the payload.

    The fields lie under a key of their own, so that no name of theirs can collide with ours.
    Points written by others, in another shape, cannot be read.
    """

    closes_anywhere = True
    Settings: ClassVar[type[VectorSettings]] = QdrantSettings
    settings: QdrantSettings

    def __init__(self, settings: QdrantSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._engine: LocalEngine | ServerEngine | None = None
        self._metrics: dict[str, Metric] = {}

    async def ensure_collection(
        self, collection: str, dimensions: int, metric: Metric = Metric.COSINE
    ) -> bool:
        """Create the collection unless it is there with these dimensions and this metric."""
        if dimensions < 1:
            raise RejectedError(f"dimensions are at least 1, found {dimensions}", where=self.name)
        try:
            await self._check_shape(collection, dimensions, metric)
        except NotFoundError:
            return await self._create(collection, dimensions, metric)
        return False

    async def drop_collection(self, collection: str) -> bool:
        """Remove the collection; say whether it was there."""
        self._metrics.pop(collection, None)
        try:
            return bool(await self._call("delete_collection", collection_name=collection))
        except NotFoundError:
            return False

    async def list_collections(self) -> list[str]:
        """The names, sorted."""
        found = await self._call("get_collections")
        return sorted(one.name for one in found.collections)

    async def upsert(self, collection: str, records: Sequence[Record]) -> None:
        """Store the records in batches of `batch_size`, each seen once it is confirmed."""
        if not records:
            return
        self.check_lengths(records)
        latest = list({record.id: record for record in records}.values())
        for batch in _batches(latest, self.settings.batch_size):
            points = [_point(record) for record in batch]
            await self._call("upsert", collection_name=collection, points=points, wait=True)

    async def get(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The records there are, in the order of `ids`."""
        found: dict[str, Record] = {}
        for batch in _batches(self.checked_ids(ids), self.settings.batch_size):
            points = await self._call(
                "retrieve",
                collection_name=collection,
                ids=[_point_id(one) for one in batch],
                with_payload=True,
                with_vectors=True,
            )
            records = (self._record(point) for point in points)
            found.update((record.id, record) for record in records)
        return [found[one] for one in ids if one in found]

    async def delete(self, collection: str, target: Sequence[str] | Filter) -> None:
        """Remove by ids or by filter; what is not there is no error."""
        if isinstance(target, Filter):
            selector = models.FilterSelector(filter=translate(target))
            await self._call(
                "delete", collection_name=collection, points_selector=selector, wait=True
            )
            return
        for batch in _batches(self.checked_ids(target), self.settings.batch_size):
            ids = models.PointIdsList(points=[_point_id(one) for one in batch])
            await self._call("delete", collection_name=collection, points_selector=ids, wait=True)

    async def count(self, collection: str, filter: Filter | None = None) -> int:
        """How many records there are, or pass the filter; exact."""
        answer = await self._call(
            "count", collection_name=collection, count_filter=_translated(filter), exact=True
        )
        return int(answer.count)

    async def search(
        self,
        collection: str,
        vector: Sequence[float],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        min_score: float | None = None,
    ) -> list[Match]:
        """The most alike first, at most `limit`; the filter is applied before the limit."""
        query = self.checked_query(vector, limit)
        sign = -1.0 if await self._metric(collection) is Metric.EUCLID else 1.0
        answer = await self._call(
            "query_points",
            collection_name=collection,
            query=query,
            query_filter=_translated(filter),
            limit=limit,
            with_payload=True,
            score_threshold=_threshold(min_score, sign),
        )
        matches = [self._match(point, sign) for point in answer.points]
        return [match for match in matches if min_score is None or match.score >= min_score]

    async def scroll(self, collection: str, filter: Filter | None = None) -> AsyncIterator[Record]:
        """Every record, or every one that passes, ordered by the UUIDs of their ids."""
        asked, offset = _translated(filter), None
        while True:
            points, offset = await self._call(
                "scroll",
                collection_name=collection,
                scroll_filter=asked,
                limit=self.settings.batch_size,
                offset=offset,
                with_payload=True,
                with_vectors=True,
            )
            for point in points:
                yield self._record(point)
            if offset is None:
                return

    def pool_stats(self) -> PoolStats:
        """Calls in flight; zeros when not connected."""
        return self._engine.pool_stats() if self._engine else PoolStats(0, 0, 0)

    async def _open(self) -> None:
        # a local engine belongs to its thread, not to a loop, and may hold the folder already
        if not isinstance(self._engine, LocalEngine):
            self._engine = self._engine_for(self.settings)
        await self._engine.open()

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        self._metrics.clear()
        if engine is not None:
            await engine.close()

    async def _ping(self) -> str:
        async with self.bounded():
            found = await self._opened().call("get_collections")
        where = self.settings.url or self.settings.path or "memory"
        return f"{where}: {len(found.collections)} collections"

    def _engine_for(self, settings: QdrantSettings) -> LocalEngine | ServerEngine:
        if settings.url is None:
            return LocalEngine(settings.path, where=self.name)
        return ServerEngine(
            settings.url,
            api_key=settings.api_key,
            pool_size=settings.pool_size,
            timeout_seconds=max(settings.timeout_seconds, settings.connect_timeout_seconds),
            where=self.name,
        )

    async def _call(self, method: str, **arguments: Any) -> Any:
        if "collection_name" in arguments:
            self.checked_name(arguments["collection_name"])
        async with self.calling():
            return await self._opened().call(method, **arguments)

    def _opened(self) -> LocalEngine | ServerEngine:
        if self._engine is None:
            raise UnavailableError("closed while the call began", where=self.name)
        return self._engine

    async def _create(self, collection: str, dimensions: int, metric: Metric) -> bool:
        shape = models.VectorParams(size=dimensions, distance=_DISTANCES[metric])
        try:
            await self._call("create_collection", collection_name=collection, vectors_config=shape)
        except RejectedError as error:
            # somebody may have created it meanwhile; if not, the refusal counts
            try:
                await self._check_shape(collection, dimensions, metric)
            except NotFoundError:
                raise error from error.__cause__
            return False
        return True

    async def _check_shape(self, collection: str, dimensions: int, metric: Metric) -> None:
        found = await self._shape(collection)
        if (found.size, _METRICS.get(found.distance)) != (dimensions, metric):
            raise ConflictError(
                f"collection '{collection}' has {found.size} dimensions and the metric"
                f" {found.distance.value.lower()}, asked for {dimensions} and {metric}",
                where=self.name,
                hint="Use another name, or drop the collection and embed its texts again.",
            )

    async def _shape(self, collection: str) -> models.VectorParams:
        info = await self._call("get_collection", collection_name=collection)
        shape = info.config.params.vectors
        if not isinstance(shape, models.VectorParams):
            raise ConflictError(
                f"collection '{collection}' has named vectors or none, and was not created here",
                where=self.name,
            )
        self._metrics[collection] = _METRICS.get(shape.distance, Metric.EUCLID)
        return shape

    async def _metric(self, collection: str) -> Metric:
        if collection not in self._metrics:
            await self._shape(collection)
        return self._metrics[collection]

    def _record(self, point: Any) -> Record:
        record_id, text, fields = self._payload(point)
        return Record(record_id, point.vector, text, fields)

    def _match(self, point: Any, sign: float) -> Match:
        record_id, text, fields = self._payload(point)
        return Match(record_id, sign * point.score, text, fields)

    def _payload(self, point: Any) -> tuple[str, str, dict[str, Any]]:
        payload = point.payload or {}
        try:
            return payload["id"], payload["text"], payload[FIELDS]
        except KeyError as error:
            raise DataError(
                f"point {point.id} has no '{error.args[0]}' in its payload,"
                " and was not written by this store",
                where=self.name,
            ) from error


def _point(record: Record) -> models.PointStruct:
    payload: dict[str, Any] = {"id": record.id, "text": record.text, FIELDS: record.fields}
    if dates := dates_of(record.fields):
        payload[DATES] = dates
    # the record has been checked; validating again would double the time
    return models.PointStruct.model_construct(
        id=_point_id(record.id), vector=record.vector, payload=payload
    )


def _point_id(id: str) -> str:
    return str(uuid.uuid5(NAMESPACE, id))


def _translated(filter: Filter | None) -> models.Filter | None:
    return None if filter is None else translate(filter)


def _threshold(min_score: float | None, sign: float) -> float | None:
    """The vendor's bound, which excludes the score itself: a little looser than ours."""
    if min_score is None:
        return None
    return sign * (min_score - _SLACK * max(1.0, abs(min_score)))


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
