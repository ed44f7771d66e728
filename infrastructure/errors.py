"""The one error tree, and the one function that sorts errors into categories.

InfrastructureError
├── ConfigurationError            permanent   settings, kinds and extras
│   ├── UnknownKindError                      a YAML word no backend answers to
│   └── MissingExtraError                     the backend's package is not installed
├── UnavailableError              transient   no answer: refused, reset, down
│   └── DeadlineExceededError                 no answer in time
├── OverloadedError               overload    answered "not now": pool, quota, rate
├── OutcomeUnknownError           unknown     sent, but whether it was applied is not known
├── RejectedError                 permanent   answered "no"
│   ├── AuthenticationError                   wrong, missing or expired credentials
│   ├── NotFoundError                         the thing asked for does not exist
│   ├── ConflictError                         it exists already, or has another version
│   └── UnsupportedError                      this backend cannot do that
└── DataError                     permanent   an answer that cannot be read
    └── StreamTruncatedError      transient   the stream ended before its end was announced

Beside it stands `BusinessError`: what the application itself refuses, in words for its users.
"""

import asyncio
import errno
import socket
from collections.abc import Iterable
from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar


class Category(StrEnum):
    """What a caller may do about an error."""

    TRANSIENT = "transient"
    """The same call may succeed later."""
    PERMANENT = "permanent"
    """The same call fails again until somebody changes something."""
    OVERLOAD = "overload"
    """The other side, or a limit of ours, asks for fewer calls."""
    CANCELLED = "cancelled"
    """The caller gave up; nothing failed."""
    UNKNOWN = "unknown"
    """Nothing is known about it; treat with care."""


class InfrastructureError(Exception):
    """Base of everything this project raises on purpose.

    The text reads `where: what failed. What to do.`

    Attributes:
        what: What failed and what was found, without a final full stop.
        where: The provider path, or file and line; empty when unknown.
        hint: One thing to do next; empty when there is none.
    """

    category: ClassVar[Category] = Category.UNKNOWN

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive a copy and the way to another process, whatever a subclass asks for."""
        return _rebuilt, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f". {self.hint}" if self.hint else ""
        return f"{place}{self.what}{advice}"


class ConfigurationError(InfrastructureError):
    """Settings, kinds or extras are wrong; only an edit helps."""

    category = Category.PERMANENT


class UnknownKindError(ConfigurationError):
    """A block names a kind that no backend of its part answers to."""

    def __init__(self, kind: str, known: Iterable[str], *, where: str = "") -> None:
        self.kind = kind
        self.known = tuple(sorted(known))
        super().__init__(
            f"unknown kind '{kind}'",
            where=where,
            hint=f"{did_you_mean(kind, self.known)}Known: {', '.join(self.known)}.",
        )


class MissingExtraError(ConfigurationError):
    """A kind's vendor package is not installed; `__cause__` is the ImportError."""

    def __init__(self, kind: str, missing: str, *, where: str = "") -> None:
        self.kind = kind
        self.missing = missing
        super().__init__(
            f"kind '{kind}' needs the package '{missing}'",
            where=where,
            hint=f'Install it with: pip install "switchgear[{kind}]"',
        )


class UnavailableError(InfrastructureError):
    """No answer: connection refused, reset, or the server is down."""

    category = Category.TRANSIENT


class DeadlineExceededError(UnavailableError):
    """No answer within the deadline, given in seconds."""

    def __init__(self, seconds: float, *, where: str = "", hint: str = "") -> None:
        self.seconds = seconds
        super().__init__(f"no answer within {seconds:g} s", where=where, hint=hint)


class OverloadedError(InfrastructureError):
    """Refused for now: pool exhausted, rate limited, out of quota."""

    category = Category.OVERLOAD

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknownError(InfrastructureError):
    """The command was sent and the answer lost: it may or may not have been applied."""


class RejectedError(InfrastructureError):
    """The other side answered that it will not do this."""

    category = Category.PERMANENT


class AuthenticationError(RejectedError):
    """Credentials are wrong, missing or expired."""


class NotFoundError(RejectedError):
    """The thing asked for does not exist."""


class ConflictError(RejectedError):
    """It exists already, or was changed by somebody else meanwhile."""


class UnsupportedError(RejectedError):
    """This backend cannot do what was asked."""


class DataError(InfrastructureError):
    """An answer, a stored value or a document that cannot be read."""

    category = Category.PERMANENT


class StreamTruncatedError(DataError):
    """A stream ended before its end was announced; what came so far is incomplete."""

    category = Category.TRANSIENT


class BusinessError(Exception):
    """The application refuses: a rule of its domain says no, and nothing is broken.

    Derive from it, one class a rule. Its message is written for the user and is shown to them.

    Attributes:
        code: A word for programs, such as `order_too_large`; empty for none.
        status: The HTTP status it is answered with.
        problem_type: The URI of a page about it, as RFC 9457 has it.
    """

    code: ClassVar[str] = ""
    status: ClassVar[int] = HTTPStatus.UNPROCESSABLE_ENTITY
    problem_type: ClassVar[str] = "about:blank"


#: The more a category forbids, the later it stands: of several errors, the last one counts.
_SEVERITY = (
    Category.CANCELLED,
    Category.TRANSIENT,
    Category.OVERLOAD,
    Category.UNKNOWN,
    Category.PERMANENT,
)
#: Python's own exceptions; the first that fits.
_BUILTIN: tuple[tuple[tuple[type[BaseException], ...], Category], ...] = (
    ((asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit), Category.CANCELLED),
    ((ConnectionError, TimeoutError, EOFError, InterruptedError), Category.TRANSIENT),
    ((MemoryError, BlockingIOError, asyncio.QueueFull), Category.OVERLOAD),
    ((BusinessError, ImportError, NotImplementedError), Category.PERMANENT),
)
#: What the system says: a network that is not there may come back; a limit that is reached, such
#: as a full disk, leaves what needs none of it working; what is missing or forbidden stays so.
_SYSTEM = {
    Category.TRANSIENT: (
        *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN),
        *(errno.ENETRESET, errno.ETIME, errno.ESTALE),
    ),
    Category.OVERLOAD: (
        *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
        *(errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EBUSY, errno.ENOLCK),
    ),
    Category.PERMANENT: (
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EEXIST, errno.ENOTDIR),
        *(errno.EISDIR, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL),
        *(errno.EXDEV, errno.EFBIG, errno.EADDRINUSE),
    ),
}
_BY_NUMBER = {number: category for category, numbers in _SYSTEM.items() for number in numbers}
_BY_STATUS = {
    HTTPStatus.REQUEST_TIMEOUT: Category.TRANSIENT,
    HTTPStatus.TOO_EARLY: Category.TRANSIENT,
    HTTPStatus.TOO_MANY_REQUESTS: Category.OVERLOAD,
    499: Category.CANCELLED,  # the client went away, as nginx says it
    HTTPStatus.INTERNAL_SERVER_ERROR: Category.UNKNOWN,
    HTTPStatus.BAD_GATEWAY: Category.TRANSIENT,
    HTTPStatus.SERVICE_UNAVAILABLE: Category.TRANSIENT,
    HTTPStatus.GATEWAY_TIMEOUT: Category.TRANSIENT,
    HTTPStatus.INSUFFICIENT_STORAGE: Category.OVERLOAD,
    529: Category.OVERLOAD,  # overloaded, as language models say it
}


def classify(error: BaseException) -> Category:
    """Sort any exception into the category that retries, breakers and health checks act on.

    A group is what its worst member is.
    """
    if isinstance(error, InfrastructureError):
        return error.category
    if isinstance(error, BaseExceptionGroup):
        return classify(worst_of(error))
    for kinds, category in _BUILTIN:
        if isinstance(error, kinds):
            return category
    if isinstance(error, socket.gaierror):  # it numbers its errors its own way
        is_again = error.errno == socket.EAI_AGAIN
        return Category.TRANSIENT if is_again else Category.UNKNOWN
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or 0, Category.UNKNOWN)
    return Category.UNKNOWN


def worst_of(error: BaseException) -> BaseException:
    """Of a group, however deep, the member whose category forbids most; of others, itself."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    members = map(worst_of, error.exceptions)
    return max(members, key=lambda one: _SEVERITY.index(classify(one)))


def category_of_status(status: int) -> Category:
    """What an HTTP status says about the same request later.

    `500` says nothing: the request may have been carried out or not.
    """
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    is_refusal = status >= HTTPStatus.BAD_REQUEST
    return Category.PERMANENT if is_refusal else Category.UNKNOWN


def _rebuilt(
    kind: type[InfrastructureError], args: tuple[Any, ...], state: dict[str, Any]
) -> InfrastructureError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Say `Did you mean 'x'? ` with a trailing space, or nothing when nothing is close."""
    import difflib  # only errors need it

    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean '{close[0]}'? " if close else ""
