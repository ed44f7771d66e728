"""What is told of a stored object, and its metadata on the wire."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from infrastructure.errors import RejectedError

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_PLAIN = re.compile(r"[!-~]([ -~]*[!-~])?")
_HALF = re.compile(r"[\ud800-\udfff]")
_ENCODED = re.compile(r"=\?[\w-]+\?[BbQq]\?[^?]*\?=")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object, without its bytes.

    Attributes:
        key: Its name in the bucket.
        size_bytes: Its length; 0 from `copy`, which is not told it.
        etag: Changes with its content; what `if_match` takes.
        modified_at: In UTC; None right after writing, since no answer tells it.
        content_type: Its media type; empty where it is not told, as in a listing or from `copy`.
        metadata: Names in lower case, and text; empty where `content_type` is.
        version_id: Of this version, in a bucket that keeps them; else empty.
        is_prefix: Whether it is no object: what several keys begin with, up to the delimiter.
    """

    key: str
    size_bytes: int = 0
    etag: str = ""
    modified_at: datetime | None = None
    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    version_id: str = ""
    is_prefix: bool = False


def told(key: str, answer: Mapping[str, Any], etag: str) -> ObjectInfo:
    """The object an answer to a reading request is about."""
    return ObjectInfo(
        key,
        size_bytes=whole_size(answer),
        etag=etag,
        modified_at=moment(answer.get("LastModified")),
        content_type=answer.get("ContentType", ""),
        metadata=decoded(answer.get("Metadata", {})),
        version_id=answer.get("VersionId", ""),
    )


def listed(found: Mapping[str, Any]) -> ObjectInfo:
    """One entry of a listing."""
    return ObjectInfo(
        found["Key"],
        size_bytes=found.get("Size", 0),
        etag=bare(found.get("ETag")),
        modified_at=moment(found.get("LastModified")),
    )


def whole_size(answer: Mapping[str, Any]) -> int:
    """Of the object, also where a part of it was asked for."""
    _, _, whole = answer.get("ContentRange", "").rpartition("/")
    return int(whole) if whole.isdecimal() else int(answer.get("ContentLength", 0))


def bare(etag: str | None) -> str:
    """Without the quotes it has on the wire."""
    return (etag or "").strip('"')


def moment(found: datetime | None) -> datetime | None:
    """In UTC, whatever zone the driver took."""
    return found.astimezone(UTC) if found else None


def encoded(metadata: Mapping[str, str], where: str) -> dict[str, str]:
    """As headers can carry it: text beyond ASCII as encoded words (RFC 2047), as S3 tells it too.

    Raises:
        RejectedError: A name is no lower-case word of ASCII, or a value is no text.
    """
    wrong = [
        name
        for name, value in metadata.items()
        if not _NAME.fullmatch(name) or _HALF.search(str(value)) or not isinstance(value, str)
    ]
    if wrong:
        raise RejectedError(
            f"metadata maps lower-case ASCII words to text, found {wrong[0]!r}", where=where
        )
    return {name: _word(value) for name, value in metadata.items()}


def decoded(metadata: Mapping[str, str]) -> dict[str, str]:
    """The text behind encoded words; other text as it is."""
    return {name.lower(): _text(value) for name, value in metadata.items()}


def _word(value: str) -> str:
    """Also nothing is written out, since some stores drop a header without a value."""
    if _PLAIN.fullmatch(value) and not _ENCODED.search(value):
        return value
    return f"=?UTF-8?B?{b64encode(value.encode()).decode()}?="


def _text(value: str) -> str:
    if not _ENCODED.search(value):
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):  # somebody else's, and no encoded word
        return value
