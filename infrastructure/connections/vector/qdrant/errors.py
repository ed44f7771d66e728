"""A Qdrant server's refusals in our terms, by HTTP status or gRPC code."""

import contextlib
import json
from collections.abc import Iterator

from grpc import StatusCode
from grpc.aio import AioRpcError
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
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
_CODES: dict[StatusCode, type[InfrastructureError]] = {
    StatusCode.ALREADY_EXISTS: ConflictError,
    StatusCode.FAILED_PRECONDITION: RejectedError,
    StatusCode.INVALID_ARGUMENT: RejectedError,
    StatusCode.NOT_FOUND: NotFoundError,
    StatusCode.OUT_OF_RANGE: RejectedError,
    StatusCode.PERMISSION_DENIED: AuthenticationError,
    StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    StatusCode.UNAUTHENTICATED: AuthenticationError,
    StatusCode.UNIMPLEMENTED: UnsupportedError,
}
_KEY_HINT = "Check api_key and what it may do."
_HINTS = {
    401: _KEY_HINT,
    403: _KEY_HINT,
    413: "Lower batch_size.",
    StatusCode.PERMISSION_DENIED: _KEY_HINT,
    StatusCode.UNAUTHENTICATED: _KEY_HINT,
    StatusCode.UNAVAILABLE: "Check url and grpc_port, and that the server runs.",
}


class ServerErrors:
    """Translates, for one server.

    Args:
        where: The store's name.
        key: What must not be shown; empty for nothing.
    """

    def __init__(self, where: str, key: str) -> None:
        self._where = where
        self._key = key

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Around a call of the vendor's client."""
        try:
            yield
        except UnexpectedResponse as error:
            raise self._answered(error) from error
        except AioRpcError as error:
            raise self._called(error) from error
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

    def _called(self, error: AioRpcError) -> InfrastructureError:
        code = error.code()
        kind = _CODES.get(code, UnavailableError)
        text = f"Qdrant answered {code.name}: {self._clean(error.details() or '')}"
        return kind(text, where=self._where, hint=_HINTS.get(code, ""))

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
