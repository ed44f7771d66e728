"""HTTP interfaces of any kind: requests, pages, files in and out."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from infrastructure.connections.base import ConnectionType
from infrastructure.connections.external.base import ExternalRegistry
from infrastructure.connections.external.http.answers import HttpResponse
from infrastructure.connections.external.http.auth import Authorization, authorization_of
from infrastructure.connections.external.http.base import HttpManager
from infrastructure.connections.external.http.calls import Params
from infrastructure.connections.external.http.files import Form, Upload, written
from infrastructure.connections.external.http.pages import NextPage, next_link
from infrastructure.connections.external.http.place import Place
from infrastructure.connections.external.http.settings import HttpAuth, HttpClientSettings
from infrastructure.errors import DataError

_EVERY_STATUS = range(200, 500)


class HttpSettings(HttpClientSettings):
    """A block under `external.instances` with kind http."""

    kind: str = "http"
    auth: HttpAuth = Field(default_factory=HttpAuth, description="How it is shown who calls.")
    headers: dict[str, str] = Field(
        default_factory=dict, repr=False, description="Sent with every request to the service."
    )
    session_cookies: bool = Field(
        default=False, description="Keep the cookies of answers until the connection is closed."
    )
    health_path: str = Field(
        default="",
        description="What a health check gets, such as health; empty, any answer will do.",
    )


@ExternalRegistry.register(ConnectionType.HTTP)
class HttpConnectionManager(HttpManager):
    """A client of one HTTP interface, for tools and services without a kind of their own."""

    Settings: ClassVar[type[HttpSettings]] = HttpSettings
    settings: HttpSettings
    operations = frozenset({"request", "get_json", "pages", "download", "download_to", "upload"})

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str = "",
        accepts: Collection[int] = (),
    ) -> HttpResponse:
        """Make a request and read its answer.

        Args:
            method: Such as GET.
            path: Below `base_url`, percent-encoded where it needs to be; see `segment`.
            params: The query; None is left out, a list stands for several of one name.
            json: Sent as JSON.
            content: Sent as it is; give its `content-type` in `headers`.
            headers: Of this request.
            idempotency_key: Sent as `Idempotency-Key`. Where the service knows it, a POST may be
                made twice, and so is made again when its answer was lost.
            accepts: Statuses that are answers for this caller, such as 404 or 304.

        Raises:
            UnavailableError: No answer, or a fault of the server.
            OutcomeUnknownError: It was sent, and may have been carried out.
            OverloadedError: Refused for now (429), and the service asks for a longer wait.
            RejectedError: Any other refusal; AuthenticationError, NotFoundError, ConflictError.
            DataError: The answer is longer than `max_response_bytes`.
        """
        given = dict(headers or {})
        if idempotency_key:
            given["Idempotency-Key"] = idempotency_key
        return await self._ask(
            method.upper(), path, params, json=json, body=content, headers=given, accepts=accepts
        )

    async def get_json(self, path: str, params: Params | None = None) -> Any:
        """What a GET answers in JSON.

        Raises:
            DataError: The answer is not JSON.
        """
        answer = await self._ask("GET", path, params, headers={"accept": "application/json"})
        return answer.json()

    async def pages(
        self,
        path: str,
        params: Params | None = None,
        *,
        next_page: NextPage = next_link,
        max_pages: int = 10_000,
    ) -> AsyncGenerator[HttpResponse, None]:
        """The pages of a listing, one request each.

        Args:
            path: Of the first.
            params: Of the first; what `next_page` gives comes on top.
            next_page: Where the next one is: by the header `Link`, or by `cursor_at(...)`.
            max_pages: Bound on them.

        Raises:
            DataError: There are more, or a page says that the next one is one of those before.
            RejectedError: The next one is outside `base_url`.
        """
        query: dict[str, Any] = dict(params or {})
        seen: set[str] = set()
        for _ in range(max_pages):
            page = await self._ask("GET", path, query)
            yield page
            following = next_page(page)
            if following is None:
                return
            if repr(following) in seen:
                raise DataError("the next page is one that was there already", where=self.name)
            seen.add(repr(following))
            if isinstance(following, str):
                path, query = self._place_of(path, following)
            else:
                query |= following
        raise DataError(f"there are more than {max_pages} pages", where=self.name)

    async def download(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The body of a GET in pieces; `timeout_seconds` bounds each wait for one.

        Args:
            path: Below `base_url`.
            params: The query.
            headers: Of this request, such as `Range`.
            max_bytes: Bound on it; `max_download_bytes` of the block when None.
        """
        bound = self.settings.max_download_bytes if max_bytes is None else max_bytes
        async with aclosing(self._pieces(path, params, headers, bound)) as pieces:
            async for piece in pieces:
                yield piece

    async def download_to(self, path: str, file: Path, params: Params | None = None) -> int:
        """Write the body of a GET to a file, which appears when it is whole; give its length."""
        bound = self.settings.max_download_bytes
        async with aclosing(self._pieces(path, params, None, bound)) as pieces:
            return await written(pieces, file)

    async def upload(
        self,
        path: str,
        upload: Upload,
        *,
        field: str = "file",
        fields: Mapping[str, str] | None = None,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Send a file as a part of a form; it is read from disk while it is sent.

        Args:
            path: Below `base_url`.
            upload: The file.
            field: The name of its part.
            fields: Names and values beside it.
            method: POST or PUT.
            headers: Of this request.
        """
        form = Form([(field, upload)], fields)
        return await self._ask(method.upper(), path, body=form, headers=headers)

    def _make_authorization(self) -> Authorization:
        return authorization_of(self.settings.auth, self._posted, self.name)

    def _standing_headers(self) -> Mapping[str, str]:
        return self.settings.headers

    def _speaks_tls(self) -> bool:
        token_url = self.settings.auth.token_url or ""
        return super()._speaks_tls() or token_url.lower().startswith("https:")

    async def _first_check(self) -> None:
        if self.settings.session_cookies:
            self._live().keep_cookies()
        if self.settings.health_path:
            await self._ping()

    async def _ping(self) -> str:
        path = self.settings.health_path
        call = self._call("GET" if path else "HEAD", path)
        call.accepts = () if path else _EVERY_STATUS
        async with self.bounded():
            answer = await self._once(call)
        return f"{call.label} was answered {answer.status}"

    def _place_of(self, path: str, link: str) -> tuple[str, dict[str, Any]]:
        """The path and the query of a link, which stays below the base URL."""
        place = Place(self.settings.base_url, self.name)
        url = place.followed(link, place.below(path))
        below = url.raw_path.decode("ascii").partition("?")[0]
        base = place.base.raw_path.decode("ascii").rstrip("/")
        query: dict[str, Any] = {}
        for name, value in url.params.multi_items():
            query.setdefault(name, []).append(value)
        return below.removeprefix(base), query
