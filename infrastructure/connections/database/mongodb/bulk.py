"""Many writes in one call, and what became of each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymongo
from bson import encode
from pymongo.errors import BulkWriteError, DocumentTooLarge, NotPrimaryError, OperationFailure

from infrastructure.connections.database.mongodb.errors import refusal, refused_by_driver
from infrastructure.connections.database.mongodb.values import (
    VALUES,
    Filter,
    check_filter,
    read_value,
)
from infrastructure.errors import (
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from infrastructure.connections.database.mongodb.documents import Documents


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a document; without an `_id` it gets a new `DocumentId`."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """Change the first document that fits, or insert one with `upsert`."""

    filter: Filter
    update: Any
    upsert: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """Put a whole document in the place of the first that fits."""

    filter: Filter
    document: Mapping[str, Any]
    upsert: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the first document that fits."""

    filter: Filter


Write = Insert | Update | Replace | Delete

#: What one document may take, in every version of MongoDB, less what the driver puts around it.
_MOST_BYTES = 16 * 1024 * 1024 - 32
_LOOKED_AT_TOGETHER = 1_000


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of many writes; they are named by their place among them, from 0.

    Attributes:
        inserted: How many were added by `Insert`.
        matched: How many documents were found by `Update` and `Replace`.
        deleted: How many were removed.
        upserted: The `_id` of each that was inserted by an upsert.
        failures: Our error for each that was refused, by the server or by the driver.
        not_tried: Those behind the first failure, when they were to be sent in order.
    """

    inserted: int
    matched: int
    deleted: int
    upserted: Mapping[int, Any] = field(default_factory=dict)
    failures: Mapping[int, InfrastructureError] = field(default_factory=dict)
    not_tried: tuple[int, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every write was applied."""
        return not self.failures and not self.not_tried


async def sent_in_bulk(
    documents: "Documents", collection: str, writes: Sequence[Write], *, ordered: bool
) -> BulkOutcome:
    """Send them, inside a call that is going on already."""
    where = documents.name
    requests, refused = _written(writes, where, ordered=ordered)
    if refused and documents.session is not None:
        raise next(iter(refused.values()))
    said: Any = {}
    if requests:
        target = documents.collection(collection)
        try:
            said = await _sent(target, requests, ordered=ordered, session=documents.session)
        except BulkWriteError as error:
            if documents.session is not None:
                raise  # the transaction is over, so nothing was applied
            said = error.details
        except (NotPrimaryError, OperationFailure) as error:
            ours = refusal(error.details or {}, error, where=where, seconds=0)
            is_passing = isinstance(ours, OverloadedError | UnavailableError)
            is_late = isinstance(ours, DeadlineExceededError)  # in doubt anyway
            is_whole = documents.session is not None or _is_one_command(requests)
            if is_whole or is_late or not is_passing:
                raise
            raise OutcomeUnknownError(
                f"a part of the bulk was refused ({ours.what})",
                where=where,
                hint="Read before trying again: what is before that part may have been applied.",
            ) from error
    return _outcome(said, list(requests), refused, len(writes), where, ordered=ordered)


async def _sent(target: Any, requests: Mapping[int, Any], **how: Any) -> Any:
    """What the driver says of them; a bulk of documents alone is cheaper for it."""
    given = list(requests.values())
    if set(map(type, given)) == {dict}:
        await target.insert_many(given, **how)
        return {"nInserted": len(given)}
    mixed = [pymongo.InsertOne(one) if type(one) is dict else one for one in given]
    return (await target.bulk_write(mixed, **how)).bulk_api_result


def _is_one_command(requests: Mapping[int, Any]) -> bool:
    """Whether the driver sends them in one for certain: it cuts by kind, bytes and number."""
    return len(set(map(type, requests.values()))) == 1 and len(requests) <= _LOOKED_AT_TOGETHER


def _written(
    writes: Sequence[Write], where: str, *, ordered: bool
) -> tuple[dict[int, Any], dict[int, InfrastructureError]]:
    """The driver's requests, and our errors for what cannot be written.

    The driver writes piece by piece while it sends: it would refuse one of many after it has sent
    those before, and not say so.
    """
    requests: dict[int, Any] = {}
    refused: dict[int, InfrastructureError] = {}
    for start in range(0, len(writes), _LOOKED_AT_TOGETHER):
        some = writes[start : start + _LOOKED_AT_TOGETHER]
        try:
            requests.update(enumerate(_requests(some, where), start))
        except Exception:  # noqa: BLE001 - one by one, each tells for itself
            for place, write in enumerate(some, start):
                try:
                    (requests[place],) = _requests([write], where)
                except Exception as error:
                    ours = refused_by_driver(error, where)
                    if ours is None:
                        raise
                    refused[place] = ours
                    if ordered:
                        return requests, refused
    return requests, refused


def _requests(writes: Sequence[Write], where: str) -> list[Any]:
    """The driver's requests for writes that can be written, and take no more than a document.

    One that inserts is its document.
    """
    requests: list[Any] = []
    parts: list[Any] = []
    for write in writes:
        if isinstance(write, Insert):
            added = dict(write.document)
            if added.get("_id", added) is None:
                del added["_id"]  # the driver gives a new one to what has none
            requests.append(added)
            parts.append(added)
            continue
        check_filter(write.filter, where)
        parts.append(write.filter)
        match write:
            case Update(filter, update, upsert):
                requests.append(pymongo.UpdateOne(filter, update, upsert=upsert))
                parts.append(update)
            case Replace(filter, document, upsert):
                requests.append(pymongo.ReplaceOne(filter, document, upsert=upsert))
                parts.append(document)
            case Delete(filter):
                requests.append(pymongo.DeleteOne(filter))
    if len(encode({"parts": parts}, codec_options=VALUES)) > _MOST_BYTES:
        raise DocumentTooLarge("more than 16 MB")
    return requests


def _outcome(
    said: Any,
    places: Sequence[int],
    refused: dict[int, InfrastructureError],
    number: int,
    where: str,
    *,
    ordered: bool,
) -> BulkOutcome:
    if said.get("writeConcernErrors"):
        raise OutcomeUnknownError(
            "the writes were applied, and not every member has confirmed them", where=where
        )
    failures = refused | {
        places[one["index"]]: refusal(one, where=where, seconds=0)
        for one in said.get("writeErrors", ())
    }
    first = min(failures, default=number) if ordered else number
    return BulkOutcome(
        inserted=said.get("nInserted", 0),
        matched=said.get("nMatched", 0),
        deleted=said.get("nRemoved", 0),
        upserted={places[one["index"]]: read_value(one["_id"]) for one in said.get("upserted", ())},
        failures={place: failures[place] for place in sorted(failures) if place <= first},
        not_tried=tuple(range(first + 1, number)),
    )
