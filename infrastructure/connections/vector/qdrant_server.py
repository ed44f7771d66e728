"""A Qdrant server over HTTP: the vendor's client, and its errors in our terms."""

import asyncio
import contextlib
import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from pydantic import SecretStr
from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from infrastructure.connections.base import PoolStats
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

_MAX_DETAIL = 300
_SERVER_FAULT = 500
_STATUS: dict[int, type[InfrastructureError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    408: UnavailableError,
    409: ConflictError,
    429: OverloadedError,
}
_HINTS = {
    401: "Check api_key.",
    403: "Check api_key and what it may do.",
    413: "Lower batch_size.",
}


class ServerEngine:
    """A Qdrant server over HTTP, with at most `pool_size` calls at once."""

    def __init__(
        self,
        url: str,
        *,
        api_key: SecretStr | None,
        pool_size: int,
        timeout_seconds: float,
        where: str,
    ) -> None:
        self._key = api_key.get_secret_value() if api_key else ""
        self._connect = partial(
            AsyncQdrantClient,
            url=url,
            # as a header: the argument warns on plain http, which is how a local server speaks
            headers={"api-key": self._key} if self._key else {},
            # ours comes first; the vendor's would name no place
            timeout=math.ceil(timeout_seconds) + 1,
            pool_size=pool_size,
            check_compatibility=False,
        )
        self._size = pool_size
        self._slots = asyncio.Semaphore(pool_size)
        self._in_flight = 0
        self._where = where
        self._client: AsyncQdrantClient | None = None

    async def open(self) -> None:
        """Connect and list the collections once."""
        with self._translated():
            # the certificates are read from disk
            self._client = await asyncio.to_thread(self._connect)
        try:
            await self.call("get_collections")
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def call(self, method: str, **arguments: Any) -> Any:
        """Run the vendor's method of that name, when a slot is free."""
        async with self._slots:
            self._in_flight += 1
            try:
                if self._client is None:
                    raise UnavailableError("closed while the call waited", where=self._where)
                with self._translated():
                    return await getattr(self._client, method)(**arguments)
            finally:
                self._in_flight -= 1

    def pool_stats(self) -> PoolStats:
        """Calls in flight; idle connections are the vendor's own."""
        limit = 0 if self._client is None else self._size
        return PoolStats(size=self._in_flight, in_use=self._in_flight, limit=limit)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except UnexpectedResponse as error:
            raise self._answered(error) from error
        except ResourceExhaustedResponse as error:
            raise OverloadedError(
                self._clean(error.message),
                where=self._where,
                retry_after_seconds=error.retry_after_s,
            ) from error
        except QdrantException as error:
            raise OverloadedError(self._clean(str(error)), where=self._where) from error
        except ResponseHandlingException as error:
            raise self._unanswered(error.source) from error
        except (ValueError, AssertionError) as error:
            raise DataError("the answer cannot be read", where=self._where) from error

    def _answered(self, error: UnexpectedResponse) -> InfrastructureError:
        status = error.status_code or 0
        kind = _STATUS.get(status, RejectedError if status < _SERVER_FAULT else UnavailableError)
        text = f"Qdrant answered {status}: {self._clean(_said(error))}"
        return kind(text, where=self._where, hint=_HINTS.get(status, ""))

    def _unanswered(self, source: Exception) -> InfrastructureError:
        if isinstance(source, ValueError):
            return DataError("the answer cannot be read", where=self._where)
        return UnavailableError(
            f"no answer from Qdrant: {type(source).__name__}: {self._clean(str(source))}",
            where=self._where,
            hint="Check url, and that the server runs.",
        )

    def _clean(self, text: str) -> str:
        text = " ".join(text.split())
        return (text.replace(self._key, "***") if self._key else text)[:_MAX_DETAIL]


def _said(error: UnexpectedResponse) -> str:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(error.content)["status"]["error"])
    return error.reason_phrase
