"""The life of a connection over HTTP: the pool it has, and who calls over it."""

import asyncio
from collections.abc import Mapping
from typing import ClassVar

import httpx

from infrastructure.config.secrets import secret_values
from infrastructure.connections.base import PoolStats
from infrastructure.connections.external.base import ExternalConnectionManager
from infrastructure.connections.external.http.auth import Authorization, FixedAuthorization
from infrastructure.connections.external.http.exchange import Exchange
from infrastructure.connections.external.http.network import PinnedNetwork
from infrastructure.connections.external.http.place import Place
from infrastructure.connections.external.http.pool import PinnedTransport
from infrastructure.connections.external.http.settings import HttpClientSettings
from infrastructure.connections.tls import tls_context
from infrastructure.errors import InfrastructureError, UnavailableError
from infrastructure.resilience import (
    ExponentialBackoffStrategy,
    Retry,
    RetryBudget,
    SingleFlight,
)

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0


class HttpLife(ExternalConnectionManager):
    """Opens, checks and closes what requests of one base URL are sent over."""

    Settings: ClassVar[type[HttpClientSettings]]
    settings: HttpClientSettings
    _exchange: Exchange | None = None
    _authorization: Authorization = FixedAuthorization()
    _secrets: frozenset[str] = frozenset()
    _retry: Retry

    def __init__(self, settings: HttpClientSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._renewing: SingleFlight[None] = SingleFlight()

    async def ping(self) -> None:
        """Ask the service for a sign of life, within `timeout_seconds`.

        Raises:
            UnavailableError: It gave none.
        """
        async with self.calling():
            await self._ping()

    def pool_stats(self) -> PoolStats:
        """Connections now; zeros when not connected."""
        if self._exchange is None:
            return PoolStats(size=0, in_use=0, limit=0)
        return self._exchange.transport.stats()

    def translated(self, error: Exception) -> InfrastructureError | None:
        """Our error for one of httpx's that nothing else has taken."""
        if isinstance(error, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)):
            return UnavailableError(f"no answer ({type(error).__name__})", where=self.name)
        return None

    def _make_authorization(self) -> Authorization:
        """How the service is shown who calls; a hook."""
        return FixedAuthorization()

    def _standing_headers(self) -> Mapping[str, str]:
        """Headers of every request to the service; a hook."""
        return {}

    def _speaks_tls(self) -> bool:
        """Whether any of its requests goes over TLS; a hook."""
        return self.settings.base_url.lower().startswith("https:")

    async def _first_check(self) -> None:
        """Try, at opening, whether the service lets us in; a hook."""
        await self._ping()

    async def _open(self) -> None:
        settings = self.settings
        place = Place(settings.base_url, self.name)
        context = None
        if self._speaks_tls():  # certificates are read from disk
            context = await asyncio.to_thread(tls_context, settings.tls_ca_file, self.name)
        network = PinnedNetwork(allow_private=settings.allow_private, where=self.name)
        self._exchange = Exchange(
            PinnedTransport(network, context, settings.max_connections),
            place,
            max_redirects=settings.max_redirects,
            standing=self._standing_headers(),
            where=self.name,
        )
        self._retry = Retry(
            settings.max_attempts,
            ExponentialBackoffStrategy(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS),
            budget=RetryBudget(),
            dependency=self.name,
            name=self.name,
        )
        self._secrets = secret_values(settings)
        self._authorization = self._make_authorization()
        try:
            await self._authorization.headers()
            await self._first_check()
        except BaseException:
            await self._close()
            raise

    async def _close(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.transport.aclose()

    async def _take_credentials(self) -> None:
        """Ask for the credentials that count now, as before an opening."""
        before = secret_values(self.settings)  # an answer on its way may repeat them yet
        async with self.bounded():
            self.settings = await self._current.take()
        self._secrets = before | secret_values(self.settings)
        self._authorization = self._make_authorization()
        self._live().forget_cookies()  # they may stand for who called before

    def _live(self) -> Exchange:
        if self._exchange is None:
            raise UnavailableError("not connected", where=self.name, hint="Await connect() first.")
        return self._exchange
