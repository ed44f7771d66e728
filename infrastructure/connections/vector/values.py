"""What a record may hold, and how it is read; the same for every vector store."""

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeGuard

from infrastructure.errors import RejectedError

Scalar: TypeAlias = str | int | float | bool

#: The largest whole number that every store compares exactly.
MAX_WHOLE = 2**53
#: A vector no longer than this holds nothing that is too large for single precision.
_MOST_SINGLE = 3.4e38
_MAX_SHOWN = 60
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


def checked_vector(vector: Sequence[float], where: str) -> list[float]:
    """Copy a vector as a list of floats.

    Raises:
        RejectedError: It is empty, or holds something that is no finite single-precision float.
    """
    try:
        floats = list(map(float, () if isinstance(vector, (str, bytes)) else vector))
    except (TypeError, ValueError, OverflowError) as error:
        raise RejectedError(f"{where} is a sequence of floats, found {shown(vector)}") from error
    is_short = math.hypot(*floats) <= _MOST_SINGLE  # several times quicker than to convert each
    if not floats or not (is_short or math.isfinite(sum(array("f", floats)))):
        raise RejectedError(f"{where} is empty, is text, or holds a float that is not finite")
    return floats


def checked_text(text: object, where: str) -> str:
    """Return text that every store can keep.

    Raises:
        RejectedError: It is no text, or holds lone surrogates.
    """
    if isinstance(text, str) and is_encodable(text):
        return text
    raise RejectedError(f"{where} is text without lone surrogates, found {shown(text)}")


def checked_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a record's fields; sequences become lists.

    Raises:
        RejectedError: A name or a value is of a kind that no filter could ask about.
    """
    return {checked_name(name): _checked_value(name, value) for name, value in fields.items()}


def _checked_value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [checked_scalar(one, f"each element of field '{name}'") for one in value]
    return checked_scalar(value, f"field '{name}'")


def checked_name(name: object) -> str:
    """Return a field's name.

    Raises:
        RejectedError: It is not text, is empty, or holds a double quote, which no store's path
            language can quote.
    """
    if isinstance(name, str) and name and '"' not in name and is_encodable(name):
        return name
    raise RejectedError(f"a field's name is non-empty text without double quotes, found {name!r}")


def checked_scalar(value: object, where: str) -> Scalar:
    """Return the value as plain text, number or boolean.

    Raises:
        RejectedError: It is something else, is not finite, or is a whole number too large.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and is_encodable(value):
        return str.__str__(value)
    if isinstance(value, int) and abs(value) <= MAX_WHOLE:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    raise RejectedError(
        f"{where} is text, a boolean, a finite float or a whole number up to 2**53,"
        f" found {shown(value)}",
        hint="Keep larger numbers as text." if isinstance(value, int) else "",
    )


def date_seconds(text: str) -> float | None:
    """Seconds since 1970 of a date in the form of this language; None for other text."""
    if _DATE.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def dates_of(fields: Mapping[str, Any]) -> dict[str, list[float]]:
    """The seconds of every date among the fields, by field."""
    found = {name: _seconds(value) for name, value in fields.items()}
    return {name: seconds for name, seconds in found.items() if seconds}


def _seconds(value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    moments = (date_seconds(one) for one in values if isinstance(one, str))
    return [moment for moment in moments if moment is not None]


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number; a boolean is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_encodable(text: str) -> bool:
    """Whether the text has no lone surrogates, which no store can keep."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: object) -> str:
    """The value and its type, cut to fit a line of an error."""
    text = repr(value)
    short = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    return f"{short} ({type(value).__name__})"
