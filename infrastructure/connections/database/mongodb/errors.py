"""The one translation of the errors of MongoDB and of its drivers: by class, code and label."""

import ssl
import traceback
from typing import Any, Final

from bson.errors import BSONError
from pymongo import errors as vendor

from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.tls import tls_failure
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

DUPLICATE_KEY: Final = 11000
_LATE: Final = frozenset({50, 262})
_NOT_PRIMARY: Final = frozenset({10107, 13435, 13436})
_NOT_SENT: Final = (vendor.ServerSelectionTimeoutError, vendor.WaitQueueTimeoutError)
_TRANSIENT: Final = "TransientTransactionError"
_UNKNOWN_COMMIT: Final = "UnknownTransactionCommitResult"
_OVERLOADED: Final = "SystemOverloadedError"

#: By the codes of the server's `error_codes.yml`; what has none of them is a refusal.
_KINDS: Final[dict[type[InfrastructureError], tuple[int, ...]]] = {
    AuthenticationError: (11, 13, 18, 31, 334, 391, 8000),
    ConflictError: (48, 68, 85, 86, DUPLICATE_KEY, 11001, 12582),
    NotFoundError: (26, 27, 286),
    # a lock, a limit of the server or of who runs it
    OverloadedError: (24, 46, 146, 202, 225, 292, 462, 16500),
    TransactionConflictError: (112, 246, 251),
    OutcomeUnknownError: (64, 79, 100),
    UnavailableError: (
        *(6, 7, 43, 63, 89, 91, 133, 134, 175, 189, 234, 237, 317),
        *(358, 365, 9001, 10107, 11600, 11602, 13388, 13435, 13436),
    ),
    UnsupportedError: (20, 59, 72, 115, 238, 263, 303, 40324, 40573),
}
_BY_CODE: Final = {code: kind for kind, codes in _KINDS.items() for code in codes}
_HINTS: Final = {
    AuthenticationError: "Check the user, the password, `auth_source` and the user's roles.",
    OutcomeUnknownError: "Read before trying again: it may have been applied.",
    TransactionConflictError: "Run the whole transaction again; transact() does.",
}
_ALONE: Final = "Transactions and change streams need a replica set or a sharded cluster."
_HINTS_BY_CODE: Final = {
    20: _ALONE,
    27: "list_indexes() tells those there are.",
    85: "drop_index() first, or give the new one another name and other keys.",
    86: "drop_index() first, or give the new one another name.",
    286: "The token is older than the server's log: read the collection and watch anew.",
    40573: _ALONE,
}
#: The driver's own refusals of what it was given.
_MISUSE: Final = (
    vendor.CollectionInvalid,
    vendor.EncryptionError,
    vendor.InvalidName,
    vendor.InvalidOperation,
    BSONError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def translated_error(
    error: Exception, *, where: str, place: str, seconds: float
) -> InfrastructureError | None:
    """Our error for one of the driver's; None when it is not the driver's.

    Only the server's word for its code is repeated: its text may quote the values that were sent.

    Args:
        error: What the driver raised.
        where: The provider path.
        place: The servers, for errors; holds no secret.
        seconds: The bound of the call.
    """
    if isinstance(error, vendor.WaitQueueTimeoutError) and was_not_applied(error):
        return OverloadedError(
            "every connection of the pool was in use for too long",
            where=where,
            hint="Raise max_connections, or make fewer calls at once.",
        )
    if isinstance(error, (vendor.OperationFailure, vendor.NotPrimaryError)):
        details: Any = error.details or {}
        first = (details.get("writeErrors") or (details,))[0]
        return refusal(first, error, where=where, seconds=seconds)
    if isinstance(error, vendor.ConnectionFailure):
        return _no_connection(error, where=where, place=place, seconds=seconds)
    if isinstance(error, vendor.ConfigurationError):  # its text may quote the address
        return ConfigurationError("the driver refuses these settings", where=where)
    return refused_by_driver(error, where)


def refusal(
    said: Any, error: Exception | None = None, *, where: str, seconds: float
) -> InfrastructureError:
    """Our error for what the server said: a reply, or an item of `writeErrors`."""
    code = said.get("code") or 0
    word = f"{said.get('codeName') or _word(said)} ({code})"
    if code in _LATE or (isinstance(error, vendor.PyMongoError) and error.timeout and not code):
        return DeadlineExceededError(seconds, where=where)
    kind = _BY_CODE.get(code)
    if has_label(error, _TRANSIENT) and kind is not UnavailableError:
        kind = TransactionConflictError
    if kind is None:
        kind = OverloadedError if has_label(error, _OVERLOADED) else RejectedError
    hint = _HINTS_BY_CODE.get(code) or _HINTS.get(kind, "")
    return kind(f"MongoDB refused it: {word}", where=where, hint=hint)


def has_label(error: BaseException | None, *labels: str) -> bool:
    """Whether the server, or the driver, gave the error one of these labels."""
    return isinstance(error, vendor.PyMongoError) and any(map(error.has_error_label, labels))


def is_unknown_commit(error: BaseException) -> bool:
    """Whether the commit may have been applied, so that it alone is sent again."""
    return has_label(error, _UNKNOWN_COMMIT) and not has_label(error, _TRANSIENT)


def was_not_applied(error: BaseException | None) -> bool:
    """Whether nothing was changed for certain: no server got it, or one that takes no writes."""
    if error is None:
        return False
    if has_label(error, "NoWritesPerformed"):
        return True
    details = getattr(error, "details", None)
    code = details.get("code") if isinstance(details, dict) else None
    is_refused = isinstance(error, _NOT_SENT) or code in _NOT_PRIMARY
    return is_refused and not _is_another_try(error)


def _is_another_try(error: BaseException) -> bool:
    """Whether the driver had sent the same before; only its own frames remember that."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        call = frame.f_locals.get("self")
        failed = getattr(call, "_attempt_number", 0)  # this try itself, where its error was kept
        if failed > (getattr(call, "_last_error", None) is error):
            return True
    return False


def refused_by_driver(error: Exception, where: str) -> RejectedError | None:
    """Our error where the driver itself refuses what it was given; None where it does not."""
    if isinstance(error, _MISUSE):
        return RejectedError(f"the driver refuses the call ({type(error).__name__})", where=where)
    return None


def lost_answer(error: InfrastructureError, what: str) -> OutcomeUnknownError:
    """The error for something sent whose answer never came."""
    return OutcomeUnknownError(
        f"the answer to {what} was lost", where=error.where, hint=_HINTS[OutcomeUnknownError]
    )


def _word(said: Any) -> str:
    """The server's word where a reply has none; which key exists already is no secret."""
    if said.get("code") == DUPLICATE_KEY:
        return f"DuplicateKey of {', '.join(said.get('keyPattern') or ('a unique key',))}"
    return "error"


def _no_connection(
    error: vendor.ConnectionFailure, *, where: str, place: str, seconds: float
) -> InfrastructureError:
    if isinstance(error, vendor.NetworkTimeout):
        return DeadlineExceededError(seconds, where=where)
    failed = tls_failure(_ssl_error(error), f"MongoDB at {place}", where)
    if failed is not None:
        return failed
    is_searching = isinstance(error, vendor.ServerSelectionTimeoutError)
    reason = "no server that may be asked" if is_searching else "the connection was lost"
    return UnavailableError(
        f"no answer from MongoDB at {place} ({reason})", where=where, hint="Is the server running?"
    )


def _ssl_error(error: BaseException | None) -> BaseException | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
