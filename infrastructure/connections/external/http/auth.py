"""Who calls: the headers and parameters that show it, and tokens that are fetched."""

import base64
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import SecretStr

from infrastructure.connections.external.http.answers import HttpResponse
from infrastructure.connections.external.http.settings import AuthKind, HttpAuth
from infrastructure.errors import AuthenticationError, DataError
from infrastructure.resilience import SingleFlight

_EARLIEST_SECONDS = 30.0
#: Between two tokens that were fetched because the one before was refused.
_BETWEEN_REFUSALS_SECONDS = 10.0
_USUAL_SECONDS = 300.0
_LONGEST_SECONDS = 86_400.0

#: Posts a form to a URL with headers; 400 and 401 are answers, too.
PostForm = Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[HttpResponse]]
#: RFC 6749, section 5.2: a refused client is answered 400 or 401, with one of these words.
REFUSED_CLIENT = (400, 401)
_WORDS = frozenset(
    {"invalid_client", "invalid_grant", "invalid_request", "invalid_scope"}
    | {"unauthorized_client", "unsupported_grant_type"}
)


class Authorization(ABC):
    """What is sent with each request to the service itself.

    Attributes:
        params: Added to the query.
    """

    params: Mapping[str, str] = {}

    @abstractmethod
    async def headers(self) -> Mapping[str, str]:
        """The headers that count now, their names in lower case."""

    def refused(self, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - for those who renew
        """Take in that these were refused; whether others may be had."""
        return False


class FixedAuthorization(Authorization):
    """The same with every request."""

    def __init__(
        self, headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None
    ) -> None:
        self._headers = headers or {}
        self.params = params or {}

    async def headers(self) -> Mapping[str, str]:
        """The headers."""
        return self._headers


class FetchedToken(Authorization):
    """An OAuth2 token for the client itself: one fetch for all who wait, before it expires.

    Args:
        auth: Of kind client_credentials.
        post: How its form is sent.
        where: The provider path, for errors.
    """

    def __init__(self, auth: HttpAuth, post: PostForm, where: str) -> None:
        self._auth = auth
        self._post = post
        self._where = where
        self._headers: Mapping[str, str] = {}
        self._renew_at = 0.0
        self._again_at = 0.0
        self._fetching: SingleFlight[None] = SingleFlight()

    async def headers(self) -> Mapping[str, str]:
        """The token, fetched where there is none or it is about to expire.

        Raises:
            AuthenticationError: The client is not known there, or its secret is wrong.
        """
        if not self._headers or time.monotonic() >= self._renew_at:
            await self._fetching.do("token", self._fetch)
        return self._headers

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Forget the token, unless another one was fetched meanwhile.

        Not twice within ten seconds: a service that refuses all of them would have one fetched for
        every request.
        """
        if headers is not self._headers:
            return True
        now = time.monotonic()
        if now < self._again_at:
            return False
        self._again_at = now + _BETWEEN_REFUSALS_SECONDS
        self._headers = {}
        return True

    async def _fetch(self) -> None:
        auth = self._auth
        form = {"grant_type": "client_credentials"}
        if auth.scope:
            form["scope"] = auth.scope
        identity, secret = auth.client_id or "", revealed(auth.client_secret)
        headers = {} if auth.secret_in_body else basic(identity, secret)
        if auth.secret_in_body:
            form |= {"client_id": identity, "client_secret": secret}
        answer = await self._post(auth.token_url or "", form, headers)
        found = answer.json()
        if answer.status in REFUSED_CLIENT:
            word = found.get("error") if isinstance(found, dict) else None
            raise AuthenticationError(
                f"the token endpoint refused this client ({word if word in _WORDS else 'no word'})",
                where=self._where,
                hint="Check client_id, client_secret and scope.",
            )
        self._take(found, time.monotonic())

    def _take(self, found: Any, now: float) -> None:
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise DataError("the token endpoint gave no access_token", where=self._where)
        stated = found.get("expires_in")
        is_number = isinstance(stated, int | float) and stated > 0
        seconds = min(stated, _LONGEST_SECONDS) if is_number else _USUAL_SECONDS
        # a tenth before its end, so that a request on its way is not refused
        self._renew_at = now + seconds - min(_EARLIEST_SECONDS, seconds / 10)
        self._headers = bearer(token)


def authorization_of(auth: HttpAuth, post: PostForm, where: str) -> Authorization:
    """The credentials of a block."""
    match auth.kind:
        case AuthKind.BEARER:
            return FixedAuthorization(bearer(revealed(auth.token)))
        case AuthKind.BASIC:
            return FixedAuthorization(basic(auth.user or "", revealed(auth.password)))
        case AuthKind.API_KEY:
            key = revealed(auth.key)
            if auth.query:
                return FixedAuthorization(params={auth.query: key})
            return FixedAuthorization({(auth.header or "X-API-Key").lower(): key})
        case AuthKind.CLIENT_CREDENTIALS:
            return FetchedToken(auth, post, where)
    return FixedAuthorization()


def bearer(token: str) -> dict[str, str]:
    """The header of RFC 6750."""
    return {"authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    """The header of RFC 7617, in UTF-8."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return {"authorization": f"Basic {pair}"}


def revealed(secret: SecretStr | None) -> str:
    """The text of a secret; empty for none."""
    return secret.get_secret_value() if secret is not None else ""
