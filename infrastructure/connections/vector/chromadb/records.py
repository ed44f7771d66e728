"""Records as Chroma keeps them: its metadata are single values and lists, never None.

- `f.<name>` is a field's single value, numbers as floats: Chroma compares whole ones with the
  whole part of what it is asked for; what comes back whole was no float, or is in `rest`;
- `l.<name>` are the elements of its list, each as JSON, equal ones alike;
- `has` says of which kinds the values of a field are: `n:` numbers, `d:` dates, `t:` all others;
- `max.`, `min.` bound the numbers of a list, `till.`, `from.` the dates, in seconds, of any field;
- `rest` holds, as JSON, the fields without a value, and those that would come back changed;
- `tenant` is whose the record is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from infrastructure.connections.vector.records import Match, Metric, Place, Record
from infrastructure.connections.vector.values import MAX_WHOLE, dates_of, is_number
from infrastructure.errors import DataError

HAS: Final = "has"
TENANT: Final = "tenant"
NUMBERS, DATES, OTHERS = "n:", "d:", "t:"
VALUE, ELEMENTS = "f.", "l."
_REST: Final = "rest"
#: Between these, up to 15 digits are read exactly by every reader: as a whole number below 2**53,
#: a zero behind the point counted in, that is divided by a power of ten below 10**23.
_LEAST_EXACT, _MOST_EXACT = 1e-7, 2**53 / 10
_SINGLE_PRECISION = 1e-6


def chroma_id(place: Place, id: str) -> str:
    """The id as Chroma has it: those of different tenants never meet."""
    return f"{len(place.tenant)}:{place.tenant}{id}" if place.tenant else id


def metadata_of(place: Place, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields as metadata; None for nothing."""
    found: dict[str, Any] = {TENANT: place.tenant} if place.tenant else {}
    kinds: list[str] = []
    rest: dict[str, Any] = {}
    dates = dates_of(fields)
    for name, value in fields.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not values:
            rest[name] = value
            continue
        numbers = [one for one in values if is_number(one)]
        kinds += [f"{NUMBERS}{name}"] if numbers else []
        kinds += [f"{OTHERS}{name}"] if len(numbers) < len(values) else []
        if not isinstance(value, list):
            found[f"{VALUE}{name}"] = float(value) if numbers else value
            if numbers and (_is_whole(value) or not _survives(float(value))):
                rest[name] = value
            continue
        found[f"{ELEMENTS}{name}"] = [element_of(one) for one in value]
        if any(map(_is_whole, value)):
            rest[name] = value
        if numbers:
            found |= {f"max.{name}": float(max(numbers)), f"min.{name}": float(min(numbers))}
    for name, seconds in dates.items():
        kinds.append(f"{DATES}{name}")
        found |= {f"till.{name}": max(seconds), f"from.{name}": min(seconds)}
    if kinds:
        found[HAS] = kinds
    if rest:
        found[_REST] = msgspec.json.encode(rest).decode()
    return found or None


def _survives(value: float) -> bool:
    """Whether Chroma, which reads floats a little carelessly, gives it back as it was."""
    is_short = float(f"{value:.15g}") == value
    return not value or (is_short and _LEAST_EXACT <= abs(value) <= _MOST_EXACT)


def element_of(value: Any) -> str:
    """An element of a list, so that a list may hold values of several kinds; 1 and 1.0 alike."""
    return msgspec.json.encode(int(value) if _is_whole(value) else value).decode()


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer() and abs(value) <= MAX_WHOLE


def fields_of(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields that `metadata_of` was given."""
    found: dict[str, Any] = {}
    kept = metadata or {}
    for key, value in kept.items():
        if key.startswith(VALUE):
            found[key.removeprefix(VALUE)] = int(value) if _is_whole(value) else value
        elif key.startswith(ELEMENTS):
            found[key.removeprefix(ELEMENTS)] = [msgspec.json.decode(one) for one in value]
    return found | msgspec.json.decode(kept[_REST]) if _REST in kept else found


def replacing(
    new: Mapping[str, Any] | None, old: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Metadata that leave nothing of the old ones: Chroma adds keys to those there are."""
    gone = {key: None for key in old or () if key not in (new or ())}
    return {**gone, **(new or {})} if gone else new


def merged(
    place: Place, old: Mapping[str, Any] | None, fields: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Metadata with these fields set, and those that are None taken away."""
    whole = {**fields_of(old), **fields}
    kept = {name: value for name, value in whole.items() if fields.get(name, 0) is not None}
    return replacing(metadata_of(place, kept), old)


def kept_vector(metric: Metric, vector: Sequence[float]) -> Sequence[float]:
    """As vectors are kept: of unit length under cosine, as most embeddings are already."""
    if metric is not Metric.COSINE:
        return vector
    length = math.hypot(*vector)
    if not length or abs(length - 1.0) < _SINGLE_PRECISION:
        return vector
    scale = 1.0 / length
    return [value * scale for value in vector]


def records_of(place: Place, answer: Mapping[str, Any], where: str) -> list[Record]:
    """The records of an answer with vectors, texts and metadata.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return [
            Record(_given_id(place, one), vector, text or "", fields_of(metadata))
            for one, vector, text, metadata in _rows(
                answer, "ids", "embeddings", "documents", "metadatas"
            )
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("a record cannot be read", where=where) from error


def matches_of(place: Place, answer: Mapping[str, Any], where: str) -> list[Match]:
    """The matches of an answer to one query.

    Raises:
        DataError: It cannot be read.
    """
    try:
        first = {name: answer[name][0] for name in ("ids", "distances", "documents", "metadatas")}
        return [
            Match(_given_id(place, one), _score(place, distance), text or "", fields_of(metadata))
            for one, distance, text, metadata in _rows(first, *first)
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError("a match cannot be read", where=where) from error


def _rows(answer: Mapping[str, Sequence[Any]], *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(answer[name] for name in names), strict=True)


def _given_id(place: Place, id: str) -> str:
    return id.removeprefix(chroma_id(place, ""))


def _score(place: Place, distance: float) -> float:
    """Higher is better: of the square of a distance, or of one minus an inner product."""
    if place.shape.metric is Metric.EUCLID:
        return -math.sqrt(max(distance, 0.0))
    return 1.0 - distance
