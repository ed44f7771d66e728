"""What is asked over HTTP."""

import re
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx
import msgspec

from infrastructure.errors import UnsupportedError

#: RFC 9110, section 9.2.2: made twice, they do no more than once.
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_WORD = re.compile(r"[A-Z][A-Z-]*")
#: What says where a request ends (RFC 9112): said twice, two servers may read two requests.
_FRAMING = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)

Params = Mapping[str, Any]


class Body(Protocol):
    """What is sent, as often as it is asked for."""

    content_type: str

    async def size(self) -> int:
        """Its length in bytes."""

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Its bytes."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, however often it is made.

    Attributes:
        method: Upper-case.
        url: Where it goes first.
        headers: Beside those of the block.
        content: The body; bytes may be sent on to where a redirect leads on the same host.
        accepts: Statuses that are answers although they are no success.
        repeatable: Whether it may be made again when nobody knows what became of it.
        max_bytes: Bound on the body of the answer.
        is_sent: Whether the service may have seen it and its answer is not here.
        is_carried_out: Not repeatable, it was answered by where its result is.
    """

    method: str
    url: httpx.URL = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | Body | None = field(default=None, repr=False)
    accepts: Collection[int] = ()
    repeatable: bool = True
    max_bytes: int = 0
    is_sent: bool = False
    is_carried_out: bool = False

    @property
    def label(self) -> str:
        """What errors call it; the query, which may hold a key, is left out."""
        return f"{self.method} {self.url.path}"

    @property
    def in_doubt(self) -> bool:
        """Whether it may have been carried out, and must not be made again."""
        return self.is_carried_out or (self.is_sent and not self.repeatable)

    async def watch(self, event: str, _info: Mapping[str, Any]) -> None:
        """What the connection tells of itself: from the first byte on it may be there."""
        if event == "http11.send_request_headers.started":
            self.is_sent = True


def call_of(
    method: str,
    url: httpx.URL,
    *,
    max_bytes: int,
    params: Params | None = None,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    body: bytes | Body | None = None,
) -> Call:
    """A request; whether it may be made twice is said by its method, or by an idempotency key.

    Raises:
        UnsupportedError: The method is no word, a header is one of the connection's own, or there
            are two bodies.
    """
    if json is not None and body is not None:
        raise UnsupportedError("a request has one body: json, or content")
    if not _WORD.fullmatch(method):
        raise UnsupportedError("the method of a request is a word, such as GET")
    for name in headers or ():
        if name.lower() in _FRAMING:
            raise UnsupportedError(f"the header '{name}' is not the caller's to set")
    given = {name.lower(): value for name, value in (headers or {}).items()}
    if json is not None:
        body = msgspec.json.encode(json)
        given.setdefault("content-type", "application/json")
    elif body is not None and not isinstance(body, bytes):
        given.setdefault("content-type", body.content_type)
    if params and (query := _query(params)):
        url = url.copy_with(query=query.encode("ascii"))
    return Call(
        method=method,
        url=url,
        headers=given,
        content=body,
        repeatable=method in _REPEATABLE or bool(given.get("idempotency-key")),
        max_bytes=max_bytes,
    )


def _query(params: Params) -> str:
    """The parameters that are not None; lists stand for several of one name."""
    words = {
        name: [_word(each) for each in value] if isinstance(value, (list, tuple)) else _word(value)
        for name, value in params.items()
        if value is not None
    }
    return urlencode(words, doseq=True)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
