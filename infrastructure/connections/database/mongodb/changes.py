"""What changes in a collection, as it changes, from a place that is remembered."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import json_util

from infrastructure.connections.database.mongodb.calls import (
    SHARE_OF_DEADLINE,
    Piece,
    closed,
    settled,
)
from infrastructure.connections.database.mongodb.component import MongodbComponent
from infrastructure.connections.database.mongodb.values import Document, read
from infrastructure.errors import ConfigurationError, UnavailableError

#: The server answers an empty wait after so long, well within the deadline of a call.
_LONGEST_WAIT_SECONDS = 1.0
_SHARE_WAITED = 0.5
#: So often in a row it is opened again without an answer of the new one.
_MOST_LOSSES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one document.

    Attributes:
        kind: `insert`, `update`, `replace`, `delete`, or another word of MongoDB's.
        id: The document's `_id`; None where the change is the collection's.
        document: The whole document, for `insert` and `replace`, and for `update` if asked for.
        updated: The fields that `update` has set, and their values.
        removed: The fields that `update` has removed.
        token: The place behind this change, as text; `after=token` goes on from there.
    """

    kind: str
    id: Any
    document: Document | None
    updated: Mapping[str, Any]
    removed: tuple[str, ...]
    token: str


async def changes_of(
    manager: MongodbComponent,
    collection: str,
    *,
    pipeline: Sequence[Mapping[str, Any]],
    after: str | None,
    with_documents: bool,
) -> AsyncIterator[Change]:
    """The changes, one after the other; a connection that is lost is opened again and gone on."""
    place = None if after is None else _read_token(after, manager.name)
    stream: Any = None
    client: Any = None
    losses, times_closed = 0, manager.times_closed
    try:
        while True:
            try:
                if stream is None:
                    stream, client = await _open(
                        manager, collection, pipeline, place, with_documents
                    )
                    place = stream.resume_token or place
                async with Piece(manager, client):
                    found = await stream.try_next()
                    place, losses = stream.resume_token or place, 0
            except UnavailableError:
                losses += 1
                is_over = manager.times_closed != times_closed
                if stream is None or is_over or losses > _MOST_LOSSES:
                    raise
                await closed(stream)
                stream = None
                continue
            if found is not None:
                yield _read(found)
            if not stream.alive:  # the collection was dropped or renamed; a new one may come
                await closed(stream)
                stream = None
    finally:
        if stream is not None:
            await closed(stream)


async def _open(
    manager: MongodbComponent,
    collection: str,
    pipeline: Sequence[Mapping[str, Any]],
    place: Any,
    with_documents: bool,
) -> tuple[Any, Any]:
    seconds = manager.settings.timeout_seconds * SHARE_OF_DEADLINE * _SHARE_WAITED
    async with manager.reading() as call:
        stream = await settled(
            manager.collection(collection).watch(
                list(pipeline),
                full_document="updateLookup" if with_documents else None,
                max_await_time_ms=int(1000 * min(_LONGEST_WAIT_SECONDS, seconds)),
                **({} if place is None else {"start_after": place}),
            )
        )
        await stream.__aenter__()  # Motor opens it here
        return stream, call.client


def _read_token(text: str, where: str) -> Any:
    refused = ConfigurationError("`after` is no token of a change", where=where)
    try:
        token = json_util.loads(text)
    except (ValueError, TypeError, KeyError) as error:
        raise refused from error
    if not isinstance(token, dict) or not token:  # which the server would take for "from now on"
        raise refused
    return token


def _read(found: Document) -> Change:
    token = json_util.dumps(found["_id"])
    read(found)
    described = found.get("updateDescription") or {}
    return Change(
        kind=found["operationType"],
        id=(found.get("documentKey") or {}).get("_id"),
        document=found.get("fullDocument"),
        updated=described.get("updatedFields") or {},
        removed=tuple(described.get("removedFields") or ()),
        token=token,
    )
