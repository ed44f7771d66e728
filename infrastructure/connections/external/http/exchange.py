"""One request on its way: sent, followed where it is redirected, and what it means when lost."""

import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from http.cookiejar import CookieJar

import httpx

from infrastructure.connections.external.http.bodies import ACCEPTED_ENCODING, whole_body
from infrastructure.connections.external.http.calls import Body, Call
from infrastructure.connections.external.http.place import Place
from infrastructure.connections.external.http.pool import PinnedTransport
from infrastructure.connections.tls import tls_failure
from infrastructure.errors import (
    DataError,
    InfrastructureError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    StreamTruncatedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.resilience import remaining

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER = 303
_KEEP_METHOD = frozenset({307, 308})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_DROPPED_BYTES = 65_536
#: A session has a few; a service that sets ever more begins a new one.
_MOST_COOKIES = 200
#: Of the time left, what waiting for a connection may take: an end of its own says more.
_SHARE = 0.8
#: What another host is sent of a request's headers.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "range", "user-agent"})
_OWN = {"accept": "*/*", "accept-encoding": ACCEPTED_ENCODING, "user-agent": "switchgear"}

Headers = Mapping[str, str]


class Exchange:
    """Sends requests of one service.

    Args:
        transport: Owned by whoever made it.
        place: The base URL.
        max_redirects: How many are followed.
        standing: Headers of every request to the service itself.
        where: The provider path, for errors.

    Attributes:
        cookies: Where answers leave cookies, which come along with later requests; None for
            forgetting them.
    """

    def __init__(
        self,
        transport: PinnedTransport,
        place: Place,
        *,
        max_redirects: int,
        standing: Headers,
        where: str,
    ) -> None:
        self.transport = transport
        self.place = place
        self.cookies: httpx.Cookies | None = None
        self._max_redirects = max_redirects
        self._standing = {**_OWN, **{name.lower(): each for name, each in standing.items()}}
        self._where = where

    def keep_cookies(self) -> None:
        """From now on."""
        self.cookies = httpx.Cookies(CookieJar())

    def forget_cookies(self) -> None:
        """Those there are, and those that answers on their way to earlier requests bring."""
        if self.cookies is not None:
            self.keep_cookies()

    async def followed(self, call: Call, shown: Headers, params: Headers) -> httpx.Response:
        """Send it, and follow where the answer leads; the body of the last answer is not read.

        Who calls is shown to the host of the base URL only, and not once it led elsewhere.

        Raises:
            RejectedError: There are too many redirects, or one that must not be followed.
        """
        url, method, content = call.url, call.method, call.content
        is_home, jar = self.place.is_home(url), self.cookies
        for _ in range(self._max_redirects + 1):
            headers = self._headers(call, shown if is_home else None)
            target = url.copy_merge_params(params) if params and is_home else url
            cookies = jar if is_home else None
            response = await self.sent(
                call, method, target, headers, content=content, cookies=cookies
            )
            location = response.headers.get("location")
            status = response.status_code
            if location is None or status not in _REDIRECTS or status in call.accepts:
                return response
            await self.drop(response)
            if status not in _KEEP_METHOD and (method == "POST" or status == _SEE_OTHER):
                method, content = ("HEAD" if method == "HEAD" else "GET"), None
                call.is_carried_out = not call.repeatable
            url, left = self.place.redirected(location, url), url
            if method not in _READING and _leaves(left, url):
                what = " with its body" if content is not None else ""
                raise RejectedError(
                    f"{call.label} was redirected{what} to another host, {url.host}",
                    where=self._where,
                )
            is_home = is_home and self.place.is_home(url)
        raise RejectedError(
            f"{call.label} was redirected more than {self._max_redirects} times",
            where=self._where,
        )

    async def sent(
        self,
        call: Call,
        method: str = "",
        url: httpx.URL | None = None,
        headers: Headers | None = None,
        *,
        content: bytes | Body | None = None,
        cookies: httpx.Cookies | None = None,
    ) -> httpx.Response:
        """Send one request; of the call itself what is not given."""
        if url is None:
            method, url, content = call.method, call.url, call.content
            headers = {**_OWN, **call.headers}
        if content is None or isinstance(content, bytes):
            return await self._answered(call, method, url, headers, content, cookies=cookies)
        size = await content.size()
        headers = {**(headers or {}), "content-length": str(size)}
        async with aclosing(_just(content, size)) as pieces:  # httpcore leaves it open
            return await self._answered(call, method, url, headers, pieces, cookies=cookies)

    async def _answered(
        self,
        call: Call,
        method: str,
        url: httpx.URL,
        headers: Headers | None,
        content: bytes | AsyncGenerator[bytes, None] | None,
        *,
        cookies: httpx.Cookies | None,
    ) -> httpx.Response:
        try:
            request = httpx.Request(method, url, headers=headers, content=content)
        except UnicodeEncodeError:
            raise self._unsendable(call) from None
        left = remaining()
        share = None if left is None else left * _SHARE
        request.extensions["timeout"] = {"pool": share, "connect": share}
        if not call.repeatable:
            request.extensions["trace"] = call.watch
        if cookies is not None:
            cookies.set_cookie_header(request)
        call.is_sent = False  # whatever was sent before was answered
        with self.losses(call, url):
            response = await self.transport.handle_async_request(request)
        if cookies is not None:
            response.request = request
            cookies.extract_cookies(response)
            if len(cookies.jar) > _MOST_COOKIES:
                cookies.clear()
        return response

    async def drop(self, response: httpx.Response) -> None:
        """Done with an answer; read to its end where that is near, so that its line is kept."""
        try:
            with suppress(httpx.HTTPError, DataError):
                await whole_body(response, max_bytes=_DROPPED_BYTES, where=self._where)
        finally:
            await response.aclose()

    @contextmanager
    def losses(self, call: Call, url: httpx.URL | None = None) -> Iterator[None]:
        """Around what httpx does for a call: its errors as ours, and what they leave in doubt."""
        try:
            yield
        except httpx.LocalProtocolError:  # what it says repeats the header, which may be a token
            raise self._unsendable(call) from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise self._loss(call, url or call.url, error) from error
        except StreamTruncatedError as error:
            if not call.in_doubt:
                raise
            raise self._loss(call, call.url, error) from error

    def _loss(self, call: Call, url: httpx.URL, error: Exception) -> InfrastructureError:
        server, where = f"{url.host}:{url.port or url.scheme}", self._where
        if call.in_doubt:
            return OutcomeUnknownError(f"{call.label} was sent and its answer lost", where=where)
        if isinstance(error, httpx.PoolTimeout):
            return OverloadedError(
                "every connection was in use for too long",
                where=where,
                hint="Raise max_connections, or send fewer requests at once.",
            )
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return tls_failure(_tls_error(error), server, where) or UnavailableError(
                f"no connection to {server}", where=where, hint="Is it up, and base_url right?"
            )
        if isinstance(error, httpx.UnsupportedProtocol):
            return UnsupportedError(f"{call.label} cannot be sent as it is", where=where)
        what = f"no whole answer from {server} ({type(error).__name__})"
        return UnavailableError(what, where=where)

    def _unsendable(self, call: Call) -> UnsupportedError:
        return UnsupportedError(
            f"{call.label} cannot be sent as it is",
            where=self._where,
            hint="Has a header or a token a line break at its end, or letters beyond ASCII?",
        )

    def _headers(self, call: Call, shown: Headers | None) -> Headers:
        if shown is not None:
            return {**self._standing, **shown, **call.headers}
        harmless = {name: each for name, each in call.headers.items() if name in _HARMLESS}
        return {**_OWN, **harmless}


async def _just(content: Body, size: int) -> AsyncGenerator[bytes, None]:
    """The pieces of a body, as many bytes as were announced."""
    left = size
    async with aclosing(content.pieces()) as pieces:
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                break
            yield piece
    if left:
        raise DataError("a file changed while it was sent", hint="Send a copy of it.")


def _leaves(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.host, one.port) != (other.host, other.port)


def _tls_error(error: BaseException | None) -> BaseException | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
