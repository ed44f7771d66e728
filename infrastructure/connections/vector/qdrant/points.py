"""Records as Qdrant's points, and shapes as its collections.

The id of a point is a UUID made of the record's id; id, text, fields and tenant lie in the
payload, the fields under a key of their own, so that no name of theirs can collide with ours.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from qdrant_client import models

from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.qdrant.filters import (
    DATES,
    FIELDS,
    payload_key,
    translate,
)
from infrastructure.connections.vector.records import Match, Metric, Place, Record, Shape
from infrastructure.connections.vector.sparse import SparseVector
from infrastructure.connections.vector.values import dates_of
from infrastructure.errors import ConflictError, DataError, RejectedError

#: Our ids are any text, Qdrant's are UUIDs: this is the namespace they are made in.
NAMESPACE = uuid.UUID("6f1d3c5e-0d4b-5b0e-9a53-2f6f8c0a7d11")
SPARSE = "sparse"
TENANT = "tenant"
#: Qdrant's name of the vector that has none.
_DENSE = ""

_DISTANCES = {
    Metric.COSINE: models.Distance.COSINE,
    Metric.DOT: models.Distance.DOT,
    Metric.EUCLID: models.Distance.EUCLID,
}
_METRICS = {distance: metric for metric, distance in _DISTANCES.items()}


def arguments_of(shape: Shape) -> dict[str, Any]:
    """What a collection of the shape is created with; nothing that old servers do not know."""
    vectors = models.VectorParams(size=shape.dimensions, distance=_DISTANCES[shape.metric])
    arguments: dict[str, Any] = {"vectors_config": vectors}
    if shape.sparse:
        arguments["sparse_vectors_config"] = {SPARSE: models.SparseVectorParams()}
    if shape.tenants:
        arguments["metadata"] = {"tenants": True}
    return arguments


def shape_of(collection: str, config: models.CollectionConfig, where: str) -> Shape:
    """The shape that a collection was created with.

    Raises:
        ConflictError: It was not created here.
    """
    vectors = config.params.vectors
    metric = _METRICS.get(vectors.distance) if isinstance(vectors, models.VectorParams) else None
    if not isinstance(vectors, models.VectorParams) or metric is None:
        raise ConflictError(
            f"collection '{collection}' was not created here: it has named vectors, or a metric"
            f" that is none of {', '.join(_DISTANCES)}",
            where=where,
        )
    has_tenants = bool((config.metadata or {}).get("tenants"))
    return Shape(vectors.size, metric, SPARSE in (config.params.sparse_vectors or {}), has_tenants)


def point_id(place: Place, id: str) -> str:
    """The UUID of a record's id; each tenant has a namespace of its own."""
    space = uuid.uuid5(NAMESPACE, place.tenant) if place.tenant else NAMESPACE
    return str(uuid.uuid5(space, id))


def following(place: Place, after: str) -> str | None:
    """The first UUID behind that of a record's id; None from the beginning."""
    if not after:
        return None
    return str(uuid.UUID(int=(uuid.UUID(point_id(place, after)).int + 1) % (1 << 128)))


def point_of(place: Place, record: Record) -> models.PointStruct:
    """The record as a point."""
    payload: dict[str, Any] = {"id": record.id, "text": record.text, FIELDS: record.fields}
    if dates := dates_of(record.fields):
        payload[DATES] = dates
    if place.tenant:
        payload[TENANT] = place.tenant
    vector: Any = record.vector
    if record.sparse is not None:
        vector = {_DENSE: vector, SPARSE: _sparse(record.sparse)}
    # the record has been checked; validating again would double the time
    return models.PointStruct.model_construct(
        id=point_id(place, record.id), vector=vector, payload=payload
    )


def query_of(vector: list[float] | SparseVector) -> models.NearestQuery:
    """A vector to search by; it has been checked, too."""
    asked: Any = _sparse(vector) if isinstance(vector, SparseVector) else vector
    return models.NearestQuery.model_construct(nearest=asked)


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector.model_construct(
        indices=list(vector.indices), values=list(vector.values)
    )


def changes_of(fields: Mapping[str, Any], ids: list[Any]) -> list[Any]:
    """The operations that set fields, take away those that are None, and keep the dates right."""
    dates = dates_of(fields)
    kept = {name: value for name, value in fields.items() if value is not None}
    gone = [payload_key(FIELDS, name) for name in fields if name not in kept]
    gone += [payload_key(DATES, name) for name in fields if name not in dates]
    changes: list[Any] = [_set(kept, FIELDS, ids)] if kept else []
    changes += [_set(dates, DATES, ids)] if dates else []
    taken = models.DeletePayload(keys=gone, points=ids)
    return [*changes, models.DeletePayloadOperation(delete_payload=taken)] if gone else changes


def _set(payload: dict[str, Any], key: str, ids: list[Any]) -> models.SetPayloadOperation:
    return models.SetPayloadOperation(
        set_payload=models.SetPayload(payload=payload, key=key, points=ids)
    )


def selected(place: Place, filter: Filter | None) -> models.Filter | None:
    """The points of the place that pass the filter; None for all there are."""
    if filter is not None:
        return passing(place, filter)
    return models.Filter(must=[_of_tenant(place)]) if place.tenant else None


def passing(place: Place, filter: Filter) -> models.Filter:
    """The points of the place that pass the filter."""
    found = translate(filter)
    return models.Filter(must=[_of_tenant(place), found]) if place.tenant else found


def _of_tenant(place: Place) -> models.FieldCondition:
    return models.FieldCondition(key=TENANT, match=models.MatchValue(value=place.tenant))


def records_of(points: Sequence[Any], where: str) -> list[Record]:
    """The records that points were made of."""
    return [_record(point, where) for point in points]


def match_of(point: Any, sign: float, where: str) -> Match:
    """A point found."""
    record_id, text, fields = _payload(point, where)
    return Match(record_id, sign * point.score, text, fields)


def _record(point: Any, where: str) -> Record:
    record_id, text, fields = _payload(point, where)
    vector, sparse = point.vector, None
    try:
        if isinstance(vector, dict):
            found = vector.get(SPARSE)
            sparse = SparseVector(found.indices, found.values) if found is not None else None
            vector = vector.get(_DENSE)
        return Record(record_id, vector, text, fields, sparse)
    except RejectedError as error:
        raise _foreign(point, error.what, where) from error


def _payload(point: Any, where: str) -> tuple[str, str, dict[str, Any]]:
    payload = point.payload or {}
    try:
        return payload["id"], payload["text"], payload[FIELDS]
    except KeyError as error:
        raise _foreign(point, f"its payload has no '{error.args[0]}'", where) from error


def _foreign(point: Any, why: str, where: str) -> DataError:
    return DataError(f"point {point.id} was not written by this store: {why}", where=where)
