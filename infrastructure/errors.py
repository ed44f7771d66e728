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
"""

import asyncio
from collections.abc import Iterable
from enum import StrEnum
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


def classify(error: BaseException) -> Category:
    """Sort any exception into the category that retries, breakers and health checks act on."""
    if isinstance(error, InfrastructureError):
        return error.category
    if isinstance(error, asyncio.CancelledError):
        return Category.CANCELLED
    if isinstance(error, (ConnectionError, TimeoutError)):
        return Category.TRANSIENT
    return Category.UNKNOWN


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
