"""A Chroma server: the vendor's asynchronous client over connections of our own.

The vendor's keeps one connection pool for all clients of an event loop, with the headers - and so
the key - of the first, waits without end, and gives a refusal without its status.
"""

import asyncio
import urllib.parse
from typing import Any

import httpx
import msgspec
from chromadb.api.async_fastapi import AsyncFastAPI
from chromadb.config import Settings, System

from infrastructure.connections.base import PoolStats
from infrastructure.connections.external.http.network import PinnedNetwork
from infrastructure.connections.external.http.pool import PinnedTransport
from infrastructure.connections.vector.chromadb.errors import refusal
from infrastructure.connections.vector.chromadb.settings import ChromadbSettings
from infrastructure.errors import DataError, UnavailableError

_FIRST_REFUSAL = 400


class ServerEngine:
    """A Chroma server over HTTP, with at most `pool_size` calls at once."""

    def __init__(self, settings: ChromadbSettings, where: str) -> None:
        self._url = settings.url or ""
        self._is_safe = self._url.startswith("https:")
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._header = settings.api_key_header
        self._size = settings.pool_size
        self._slots = asyncio.Semaphore(self._size)
        self._in_flight = 0
        self._where = where
        self._http: httpx.AsyncClient | None = None
        self._api: AsyncFastAPI | None = None
        self.max_batch_size = 0

    async def open(self) -> None:
        """Ask the server what it takes."""
        # the certificates are read from disk
        self._http = await asyncio.to_thread(self._client) if self._is_safe else self._client()
        settings = Settings.model_construct(
            anonymized_telemetry=False,
            chroma_server_host=self._url.rstrip("/"),
            chroma_server_http_port=0,  # it stands in the address
            chroma_server_ssl_enabled=self._is_safe,
        )
        self._api = AsyncFastAPI(System(settings))
        self._api._make_request = self._send  # type: ignore[method-assign]  # noqa: SLF001 - its one way out
        try:
            self.max_batch_size = await self.call("get_max_batch_size")
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        http, self._http, self._api = self._http, None, None
        if http is not None:
            await http.aclose()

    async def call(self, method: str, **arguments: Any) -> Any:
        """Run the vendor's method of that name, when a slot is free."""
        async with self._slots:
            self._in_flight += 1
            try:
                if self._api is None:
                    raise UnavailableError("closed while the call waited", where=self._where)
                return await getattr(self._api, method)(**arguments)
            except (KeyError, TypeError, ValueError, httpx.DecodingError) as error:
                raise DataError("the answer cannot be read", where=self._where) from error
            finally:
                self._in_flight -= 1

    def pool_stats(self) -> PoolStats:
        """Calls in flight; idle connections are the vendor's own."""
        limit = 0 if self._api is None else self._size
        return PoolStats(size=self._in_flight, in_use=self._in_flight, limit=limit)

    def _client(self) -> httpx.AsyncClient:
        headers = {"Content-Type": "application/json"}
        if self._key:
            is_bearer = self._header.lower() == "authorization"
            headers[self._header] = f"Bearer {self._key}" if is_bearer else self._key
        # httpx's own transport would keep a connection of a cancelled call in use for ever
        network = PinnedNetwork(allow_private=True, where=self._where)
        context = httpx.create_ssl_context(trust_env=False) if self._is_safe else None
        return httpx.AsyncClient(
            headers=headers,
            transport=PinnedTransport(network, context, self._size),
            timeout=None,  # noqa: S113 - our deadline stands around each call
            trust_env=False,  # what the environment says of proxies does not count
        )

    async def _send(self, method: str, path: str, **request: Any) -> Any:
        assert self._http is not None  # noqa: S101 - `call` has looked
        assert self._api is not None  # noqa: S101 - `call` has looked
        if "json" in request:
            request["content"] = msgspec.json.encode(request.pop("json"))
        url = self._api.get_api_url() + urllib.parse.quote(path)
        try:
            response = await self._http.request(method, url, **request)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"no answer from Chroma at {self._url}: {type(error).__name__}",
                where=self._where,
                hint="Check url, and that the server runs.",
            ) from error
        if response.status_code >= _FIRST_REFUSAL:
            said = _said(response)
            raise refusal(response.status_code, said, self._where, secret=self._key)
        return msgspec.json.decode(response.content)


def _said(response: httpx.Response) -> str:
    try:
        return str(msgspec.json.decode(response.content)["message"])
    except (KeyError, TypeError, ValueError):
        return response.reason_phrase
