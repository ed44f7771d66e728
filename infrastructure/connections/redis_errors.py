"""The one translation of Redis errors."""

import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from redis import exceptions as vendor

from infrastructure.connections.redis_address import RedisAddress
from infrastructure.connections.tls import tls_failure
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

#: What `redis_errors` and `translated` are for.
TRANSLATED: Final = (vendor.RedisError, OSError, RuntimeError, UnicodeEncodeError)
_POOL_EXHAUSTED: Final = "No connection available."
_TOO_MANY_CLIENTS: Final = "max number of clients reached"
_OVERLOADED_WORDS: Final = frozenset({"OOM"})
_UNAVAILABLE_WORDS: Final = frozenset(
    {
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MOVED",
        "NOREPLICAS",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
    }
)
_REFUSED_LOGIN: Final = (
    vendor.AuthenticationError,
    vendor.AuthenticationWrongNumberOfArgsError,
    vendor.AuthorizationError,
    vendor.NoPermissionError,
)
_WORD_OF_CLASS: Final = {
    vendor.AskError: "ASK",
    vendor.BusyLoadingError: "LOADING",
    vendor.ClusterCrossSlotError: "CROSSSLOT",
    vendor.ClusterDownError: "CLUSTERDOWN",
    vendor.MasterDownError: "MASTERDOWN",
    vendor.MovedError: "MOVED",
    vendor.NoScriptError: "NOSCRIPT",
    vendor.OutOfMemoryError: "OOM",
    vendor.ReadOnlyError: "READONLY",
    vendor.TryAgainError: "TRYAGAIN",
}
#: Older servers put the error of a script's command into a sentence of their own.
_IN_SCRIPT: Final = re.compile(r"^Error running script .*?-([A-Z]+) ", re.DOTALL)


def code_word(error: BaseException | None) -> str:
    """The word the server's refusal begins with, such as `READONLY`; empty when it has none."""
    known = _WORD_OF_CLASS.get(type(error))
    if known is not None:
        return known
    text = str(error)
    inner = _IN_SCRIPT.match(text)
    word = inner[1] if inner else text.partition(" ")[0]
    return word if word.isupper() and word.isascii() else ""


def is_answer(error: BaseException) -> bool:
    """Whether the server said it, so that the command is known not to have been applied."""
    told = (vendor.ResponseError, vendor.BusyLoadingError, *_REFUSED_LOGIN)
    return isinstance(error, told) or _TOO_MANY_CLIENTS in str(error)


def is_cut(error: BaseException) -> bool:
    """Whether a line broke, rather than that something was refused or took too long."""
    if isinstance(error, (TimeoutError, vendor.TimeoutError)):
        return False
    return type(error) is vendor.ConnectionError or isinstance(error, OSError)


def raise_tls(failures: Iterable[Exception]) -> None:
    """Of the failures at several servers, raise the first whose reason is TLS, if there is one."""
    for failure in failures:
        if isinstance(failure.__context__, ssl.SSLError):
            raise failure


@contextmanager
def redis_errors(where: str, address: RedisAddress, timeout_seconds: float) -> Iterator[None]:
    """Translate what the vendor raises in the body into our errors.

    Only the server's code word is repeated: its text may quote the arguments of the command.
    """
    try:
        yield
    except TRANSLATED as error:
        ours = translated(error, where, address, timeout_seconds)
        if ours is None:
            raise
        raise ours from error


def translated(
    error: Exception, where: str, address: RedisAddress, timeout_seconds: float
) -> InfrastructureError | None:
    """Our error for one of the vendor's; None for an error of another origin."""
    if isinstance(error, RuntimeError):
        return _of_transport(error, where)
    if isinstance(error, (vendor.TimeoutError, TimeoutError)):
        return DeadlineExceededError(timeout_seconds, where=where)
    if isinstance(error, _REFUSED_LOGIN):
        return AuthenticationError(
            f"redis at {address.label} refused the credentials, or what they may not do",
            where=where,
            hint="Check username, password and the ACL of that user.",
        )
    word = code_word(error)
    if isinstance(error, vendor.ResponseError) or word in _UNAVAILABLE_WORDS:
        return _refusal(word, where)
    return (
        _misread(error, where, address)
        or tls_failure(error.__context__, f"redis at {address.label}", where)
        or _no_connection(str(error), where, address.label)
    )


def _misread(error: Exception, where: str, address: RedisAddress) -> InfrastructureError | None:
    """What could not be written or read."""
    if isinstance(error, vendor.InvalidResponse):
        return DataError(f"what answers at {address.label} is not redis", where=where)
    if isinstance(error, (vendor.DataError, UnicodeEncodeError)):
        return UnsupportedError(
            "a command takes bytes, int, float and str without lone surrogates only", where=where
        )
    return None


def _of_transport(error: RuntimeError, where: str) -> InfrastructureError | None:
    """A line that outlived its event loop raises a bare RuntimeError; any other is not ours."""
    if "Event loop is closed" not in str(error) and "attached to a different loop" not in str(
        error
    ):
        return None
    return UnavailableError("the connection belongs to an event loop that has ended", where=where)


def _refusal(word: str, where: str) -> InfrastructureError:
    shown = word or "ERR"
    if word in _OVERLOADED_WORDS:
        return OverloadedError(
            "redis is out of memory (OOM)", where=where, hint="Raise maxmemory, or evict."
        )
    if word in _UNAVAILABLE_WORDS:
        return UnavailableError(f"redis cannot serve now ({shown})", where=where)
    return RejectedError(f"redis refused the command ({shown})", where=where)


def _no_connection(text: str, where: str, server: str) -> InfrastructureError:
    if _POOL_EXHAUSTED in text:
        return pool_exhausted(where)
    if _TOO_MANY_CLIENTS in text:
        return OverloadedError(f"redis at {server} has too many clients", where=where)
    return UnavailableError(
        f"no connection to redis at {server}", where=where, hint="Is the server running?"
    )


def pool_exhausted(where: str) -> OverloadedError:
    """Every connection was in use for longer than a caller waits."""
    return OverloadedError(
        "every connection of the pool was in use for too long",
        where=where,
        hint="Raise max_connections, or make fewer calls at once.",
    )
