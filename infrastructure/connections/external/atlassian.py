"""What Jira and Confluence have in common: who calls, pages of listings, files."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import parse_qsl

from pydantic import Field, SecretStr, model_validator

from infrastructure.connections.external.atlassian_values import entries, mapping, text_at
from infrastructure.connections.external.http.auth import (
    Authorization,
    FixedAuthorization,
    basic,
    bearer,
    revealed,
)
from infrastructure.connections.external.http.base import HttpManager
from infrastructure.connections.external.http.calls import Call, Params
from infrastructure.connections.external.http.files import Form, Upload, written
from infrastructure.connections.external.http.settings import HttpClientSettings
from infrastructure.errors import DataError

#: Without it, uploads are refused as if a page had forged them.
_NO_CHECK = {"x-atlassian-token": "no-check"}
_REFUSALS = 400
#: What Seraph says of credentials it did not take.
_REFUSED = frozenset({"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"})
#: Of Confluence Cloud; more is refused.
_MOST_IN_A_PAGE = 250
_WHERE_IT_GOES_ON = ("cursor", "start", "limit", "next")
#: Bound on the requests of one listing.
_MOST_PAGES = 100_000

A = TypeVar("A")
Items = AsyncGenerator[dict[str, Any], None]
#: Of a page, of what was asked for and of how many items came: what is asked for next, if anything.
Following = Callable[[Mapping[str, Any], Params, int], Params | None]


class Deployment(StrEnum):
    """Whose machines it runs on; the interfaces differ."""

    CLOUD = "cloud"
    """Atlassian's."""
    DATA_CENTER = "data_center"
    """One's own: Data Center or Server."""


class AtlassianSettings(HttpClientSettings):
    """What blocks of Jira and of Confluence have."""

    deployment: Deployment = Field(
        default=Deployment.CLOUD, description="Which interface is spoken."
    )
    user: str | None = Field(
        default=None,
        description="With it, basic: an e-mail address on Cloud, a name on Data Center.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Beside `user` its API token or password; alone, a personal access token.",
    )
    page_size: int = Field(default=50, gt=0, le=1000, description="Items a request of a listing.")

    @model_validator(mode="after")
    def _has_a_token_for_its_user(self) -> Self:
        if self.user and self.token is None:
            raise ValueError("`user` needs `token`: an API token on Cloud, else a password")
        return self


class AtlassianManager(HttpManager, Generic[A]):
    """Requests and listings in JSON, and files: `A` is what describes one."""

    Settings: ClassVar[type[AtlassianSettings]]
    settings: AtlassianSettings
    operations = frozenset({"download", "download_to"})

    @property
    def is_cloud(self) -> bool:
        """Whether it speaks the interface of Cloud."""
        return self.settings.deployment is Deployment.CLOUD

    async def download(self, attachment: A) -> AsyncGenerator[bytes, None]:
        """The content of a file in pieces; Cloud gives it from another host."""
        async with aclosing(self._content(attachment)) as pieces:
            async for piece in pieces:
                yield piece

    async def download_to(self, attachment: A, file: Path) -> int:
        """Write the content to a file, which appears when it is whole; give its length."""
        async with aclosing(self._content(attachment)) as pieces:
            return await written(pieces, file)

    @abstractmethod
    def _file(self, attachment: A) -> str:
        """The path of its content."""

    def _is_anonymous(self, call: Call, status: int, headers: Mapping[str, str]) -> bool:
        """Whether a wrong or expired token was passed over, as Seraph, the gate of both, does.

        Searches find nothing then, and issues are not there. A success of what must not be made
        twice stands.
        """
        said = headers.get("x-seraph-loginreason", "").replace(",", " ").split()
        is_done = status < _REFUSALS and not call.repeatable
        return not _REFUSED.isdisjoint(said) and "OK" not in said and not is_done

    def _make_authorization(self) -> Authorization:
        settings, token = self.settings, revealed(self.settings.token)
        if not token:
            return FixedAuthorization()
        return FixedAuthorization(basic(settings.user, token) if settings.user else bearer(token))

    def _standing_headers(self) -> Mapping[str, str]:
        return {"accept": "application/json"}

    async def _ping_at(self, path: str) -> str:
        call = self._call("GET", path)
        async with self.bounded():
            found = mapping((await self._once(call)).json(), self.name)
        return f"{self.settings.kind} answered as {text_at(found, 'displayName') or 'nobody'}"

    async def _get(self, path: str, params: Params | None = None) -> dict[str, Any]:
        return mapping((await self._ask("GET", path, params)).json(), self.name)

    async def _post(
        self, path: str, json: Any, *, repeatable: bool | None = None
    ) -> dict[str, Any]:
        answer = await self._ask("POST", path, json=json, repeatable=repeatable)
        return mapping(answer.json(), self.name)

    async def _attach(
        self, path: str, upload: Upload, fields: Mapping[str, str] | None = None
    ) -> Any:
        form = Form([("file", upload)], fields)
        return (await self._ask("POST", path, body=form, headers=_NO_CHECK)).json()

    def _counted(self, path: str, key: str, params: Params) -> Items:
        """The items of a listing of Jira that is asked for by numbers."""
        asked = {**params, "startAt": 0, "maxResults": self.settings.page_size}
        return self._listing(path, key, asked, _by_number)

    def _linked(self, path: str, params: Params) -> Items:
        """The items of a listing of Confluence, whose pages name the next by a link."""
        limit = self.settings.page_size
        limit = min(limit, _MOST_IN_A_PAGE) if self.is_cloud else limit
        return self._listing(path, "results", {**params, "limit": limit}, _by_link)

    async def _listing(
        self, path: str, key: str, asked: Params, following: Following, *, method: str = "GET"
    ) -> Items:
        """The items under `key` of page after page; what is asked for is sent as query or JSON."""
        first, seen = asked, {"[]"}
        for _ in range(_MOST_PAGES):
            if method == "GET":
                page = await self._get(path, asked)
            else:
                page = await self._post(path, asked, repeatable=True)  # it only reads
            items = entries(page, key, self.name)
            for item in items:
                yield item
            after = following(page, asked, len(items))
            if after is None:
                return
            place = repr([each for name, each in after.items() if each != first.get(name)])
            if place in seen:
                raise DataError("the next page is one that was there already", where=self.name)
            seen.add(place)
            asked = after
        raise DataError(f"the listing has more than {_MOST_PAGES} pages", where=self.name)

    def _content(self, attachment: A) -> AsyncGenerator[bytes, None]:
        bound = self.settings.max_download_bytes
        return self._pieces(self._file(attachment), None, {"accept": "*/*"}, bound)


def by_token(page: Mapping[str, Any], asked: Params, _: int) -> Params | None:
    """The next page of a search of Jira Cloud."""
    token = page.get("nextPageToken")
    is_last = not token or page.get("isLast") is True
    return None if is_last else {**asked, "nextPageToken": token}


def _by_number(page: Mapping[str, Any], asked: Params, count: int) -> Params | None:
    at, total = asked["startAt"] + count, page.get("total")
    is_last = page.get("isLast") is True or (isinstance(total, int) and at >= total)
    return None if is_last or not count else {**asked, "startAt": at}


def _by_link(page: Mapping[str, Any], asked: Params, _: int) -> Params | None:
    """Of the link, where it goes on is taken over, not the path or what was asked for.

    The path may be that of another address, and words in it need not be percent-encoded.
    """
    links = page.get("_links")
    link = links.get("next") if isinstance(links, dict) else None
    if not link:
        return None
    said = dict(parse_qsl(str(link).partition("?")[2]))
    return {**asked, **{name: said[name] for name in _WHERE_IT_GOES_ON if name in said}}
