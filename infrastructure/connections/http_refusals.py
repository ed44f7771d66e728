"""What an HTTP status that is no success means, and what the body says about it."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

_MAX_TEXT = 300
_DEEPEST = 4
_MOST_PARTS = 5
_LEAVES: dict[int, tuple[type[InfrastructureError], str]] = {
    HTTPStatus.UNAUTHORIZED: (AuthenticationError, "Check the credentials of this block."),
    HTTPStatus.FORBIDDEN: (AuthenticationError, "Check what these credentials may do."),
    HTTPStatus.NOT_FOUND: (NotFoundError, ""),
    HTTPStatus.METHOD_NOT_ALLOWED: (UnsupportedError, ""),
    HTTPStatus.REQUEST_TIMEOUT: (UnavailableError, ""),
    HTTPStatus.CONFLICT: (ConflictError, ""),
    HTTPStatus.GONE: (NotFoundError, ""),
    HTTPStatus.PRECONDITION_FAILED: (ConflictError, ""),
    HTTPStatus.TOO_EARLY: (UnavailableError, ""),
    HTTPStatus.NOT_IMPLEMENTED: (UnsupportedError, ""),
}
#: The words under which services say what is wrong, the plainest first.
_WORDS = ("message", "error_description", "detail", "title", "errorMessages", "error", "errors")


def refusal(
    status: int,
    *,
    text: str,
    headers: Mapping[str, str],
    where: str,
    what: str,
    is_repeatable: bool,
) -> InfrastructureError:
    """The error a status stands for.

    Args:
        status: The HTTP status.
        text: What the service says, free of secrets; left out where it refuses credentials.
        headers: Read for `Retry-After`, lower-case keys.
        where: The provider path.
        what: The method and the path of the request.
        is_repeatable: Made twice, the request does no more than once. Of any other, a fault of
            the server leaves open whether it was carried out.
    """
    said = f"{what} was answered {status}{f': {text}' if text else ''}"
    leaf, hint = _LEAVES.get(status, (RejectedError, ""))
    if leaf is AuthenticationError:
        return leaf(f"{what} was answered {status}", where=where, hint=hint)
    asked = retry_after(headers)
    is_overload = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INSUFFICIENT_STORAGE, 529}
    if is_overload or (status == HTTPStatus.SERVICE_UNAVAILABLE and asked is not None):
        return OverloadedError(said, where=where, retry_after_seconds=asked)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and leaf is RejectedError:
        return (UnavailableError if is_repeatable else OutcomeUnknownError)(said, where=where)
    return leaf(said, where=where, hint=hint)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds the service asks to wait: `retry-after-ms`, or `Retry-After` as number or date.

    RFC 9110, section 10.2.3. None when it said nothing that can be read.
    """
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = _seconds(text)
    return _until(text, now or datetime.now(UTC)) if seconds is None else seconds


def told(body: bytes, content_type: str) -> str:
    """One line of what a body says is wrong; empty for pages and other files."""
    if "json" in content_type:
        try:
            return shortened("; ".join(dict.fromkeys(_told(msgspec.json.decode(body)))))
        except (ValueError, RecursionError):
            return ""
    is_text = content_type.startswith("text/plain")
    return shortened(body[: 4 * _MAX_TEXT].decode(errors="replace")) if is_text else ""


def shortened(text: str) -> str:
    """One line of at most 300 characters that can be printed."""
    line = "".join(each if each.isprintable() else " " for each in text[: 4 * _MAX_TEXT])
    line = " ".join(line.split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}..."


def _told(found: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif depth > _DEEPEST:
        return
    elif isinstance(found, list):
        for each in found[:_MOST_PARTS]:
            yield from _told(each, depth + 1)
    elif isinstance(found, dict):
        known = [found[word] for word in _WORDS if word in found]
        fields = [f"{name}: {each}" for name, each in found.items() if isinstance(each, str)]
        for each in known or fields[:_MOST_PARTS]:
            yield from _told(each, depth + 1)


def _seconds(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
