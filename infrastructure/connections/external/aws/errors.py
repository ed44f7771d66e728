"""The driver's errors as ours: by their type, the code in the answer, or its HTTP status."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from infrastructure.connections.external.aws.settings import AwsSettings
from infrastructure.connections.tls import tls_failure
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    StreamTruncatedError,
    UnavailableError,
    UnsupportedError,
)


class ForbiddenError(AuthenticationError):
    """The credentials count, and this is not allowed to whom they belong."""


#: What every service may answer.
CODES: dict[str, type[InfrastructureError]] = {
    **dict.fromkeys(
        (
            *("AuthorizationHeaderMalformed", "ExpiredToken", "ExpiredTokenException"),
            *("IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId"),
            *("InvalidSignatureException", "InvalidToken"),
            *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
            *("RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"),
            *("TokenRefreshRequired", "UnrecognizedClientException"),
        ),
        AuthenticationError,
    ),
    **dict.fromkeys(
        (
            *("RequestLimitExceeded", "ServiceUnavailable", "SlowDown", "Throttling"),
            *("ThrottlingException", "TooManyRequestsException"),
        ),
        OverloadedError,
    ),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException"), ForbiddenError),
    "InternalError": UnavailableError,
    "InternalFailure": UnavailableError,
    "InternalServerError": UnavailableError,
    "NotImplemented": UnsupportedError,
    "RequestTimeout": UnavailableError,
    "UnknownOperationException": UnsupportedError,
}
_BY_STATUS: dict[int, type[InfrastructureError]] = {
    HTTPStatus.UNAUTHORIZED: AuthenticationError,
    HTTPStatus.FORBIDDEN: AuthenticationError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.METHOD_NOT_ALLOWED: UnsupportedError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.PRECONDITION_FAILED: ConflictError,
    HTTPStatus.TOO_MANY_REQUESTS: OverloadedError,
    HTTPStatus.NOT_IMPLEMENTED: UnsupportedError,
    HTTPStatus.SERVICE_UNAVAILABLE: OverloadedError,
}
#: What the driver raises by itself, and what we say of it.
_TOLD: tuple[tuple[tuple[type[Exception], ...], type[InfrastructureError], str, str], ...] = (
    (
        (FlexibleChecksumError,),
        DataError,
        "what was read has another checksum than what was stored",
        "Read it again; if it stays so, it was damaged in the store.",
    ),
    (
        (ResponseParserError,),
        DataError,
        "the answer cannot be read",
        "Is there something between that answers in its place?",
    ),
    (
        (IncompleteReadError, ResponseStreamingError, aiohttp.ClientPayloadError),
        StreamTruncatedError,
        "the answer broke off",
        "Read it again.",
    ),
    (
        (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError),
        AuthenticationError,
        "no credentials could be had",
        "Set access_key_id and secret_access_key, or give the machine a role.",
    ),
)
_MAX_DETAIL = 300
_CLOCK = "Set the clock of this machine."
_REGION = "Is `region` the one it is in?"
_HINTS = {
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
}


def refusal(
    error: ClientError, codes: Mapping[str, type[InfrastructureError]], *, subject: str, where: str
) -> InfrastructureError:
    """Our error for an answer that says no.

    Args:
        error: It holds the answer.
        codes: Those of the service, before those of all.
        subject: What it was about, such as a key.
        where: The provider path.
    """
    found = error.response.get("Error", {})
    about = error.response.get("ResponseMetadata", {})
    code, status = str(found.get("Code", "")), int(about.get("HTTPStatusCode", 0))
    kind = kind_of(code, status, codes)
    asked = f"{error.operation_name} of '{subject}'" if subject else str(error.operation_name)
    if issubclass(kind, AuthenticationError):
        # its text may quote what was signed, the session token among it
        hint = _HINTS.get(code, "Check the key and what it may do.")
        return kind(f"{asked} was refused ({code})", where=where, hint=hint)
    what = f"{asked}: {str(found.get('Message') or 'refused')[:_MAX_DETAIL]} ({code})"
    if kind is OverloadedError:
        after = about.get("HTTPHeaders", {}).get("retry-after", "")
        seconds = float(after) if str(after).isdecimal() else None
        return OverloadedError(what, where=where, retry_after_seconds=seconds)
    return kind(what, where=where, hint=_HINTS.get(code, ""))


def kind_of(
    code: str, status: int, codes: Mapping[str, type[InfrastructureError]]
) -> type[InfrastructureError]:
    """By the code, else by the status."""
    named = codes.get(code) or CODES.get(code) or _BY_STATUS.get(status)
    if named is not None:
        return named
    is_servers = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return UnavailableError if is_servers else RejectedError


def lost(error: Exception, settings: AwsSettings, where: str) -> InfrastructureError | None:
    """Our error for a request or an answer that did not arrive; None when it is another."""
    if isinstance(error, (ReadTimeoutError, ConnectTimeoutError)):
        is_open = isinstance(error, ReadTimeoutError)
        seconds = settings.timeout_seconds if is_open else settings.connect_timeout_seconds
        return DeadlineExceededError(seconds, where=where)
    for types, kind, what, hint in _TOLD:
        if isinstance(error, types):
            return kind(what, where=where, hint=hint)
    if _is_unsendable(error):
        what = f"the request cannot be made: {_vendors(error) or error}"
        return RejectedError(what[:_MAX_DETAIL], where=where)
    if isinstance(error, (NoConnectionError, HTTPClientError)):
        place = settings.place()
        return tls_failure(_system(error), place, where) or UnavailableError(
            f"no answer from {place} ({_reason(error)})", where=where
        )
    if isinstance(error, BotoCoreError):
        return RejectedError(f"the request cannot be made: {error}"[:_MAX_DETAIL], where=where)
    return None


def is_cut(error: BaseException | None) -> bool:
    """Whether the line was cut under a request, as one is that had been idle for too long."""
    is_line = isinstance(error, (ConnectionClosedError, EndpointConnectionError))
    return is_line and not was_unsent(error)


def was_unsent(error: BaseException | None) -> bool:
    """Whether there was no connection, so that nothing was sent."""
    is_connecting = isinstance(_vendors(error), aiohttp.ClientConnectorError)
    return isinstance(error, ConnectTimeoutError) or is_connecting


def _is_unsendable(error: Exception) -> bool:
    """Whether it was no request, such as a header of two lines, and the line is not to blame."""
    vendors = _vendors(error)
    is_wrong = isinstance(vendors, (TypeError, ValueError)) and not isinstance(vendors, OSError)
    return is_wrong or isinstance(error, UnicodeEncodeError)  # half a character, in a parameter


def _vendors(error: Any) -> Any:
    """What the driver's error was made of."""
    return getattr(error, "kwargs", {}).get("error")


def _system(error: Exception) -> Any:
    vendors = _vendors(error)
    certificate = getattr(vendors, "certificate_error", None)
    return certificate or getattr(vendors, "os_error", vendors)


def _reason(error: Exception) -> str:
    system = _system(error)
    return getattr(system, "strerror", None) or type(system or error).__name__
