"""Why a value cannot be written, or stored bytes cannot be read."""

from enum import StrEnum

from infrastructure.errors import DataError

_PATH_SHOWN = 8


class Reason(StrEnum):
    """What is wrong with stored bytes; a word for counters."""

    FOREIGN = "foreign"
    """Not written by this project, or cut before the mark."""
    VERSION = "version"
    """Written by another version of the form."""
    DAMAGED = "damaged"
    """Cut or changed, or stored under another key: the check does not fit."""
    UNSIGNED = "unsigned"
    """A signature is asked for, and there is none."""
    SIGNED = "signed"
    """There is a signature, and no secret to check it with."""
    FORGED = "forged"
    """Signed by none of the secrets, or for another key."""
    SCHEMA = "schema"
    """Written under another schema version, or a class has other fields now."""
    CLASS = "class"
    """Of a class that this process has not imported, or that is no class of data."""
    COMPRESSED = "compressed"
    """Compressed, and the extra zstd is not installed."""
    TOO_LARGE = "too_large"
    """Larger than allowed once unpacked."""
    UNREADABLE = "unreadable"
    """The check fits and the content does not make sense."""


class UnreadableError(DataError):
    """Stored bytes that give no value.

    Attributes:
        reason: Which of the reasons.
    """

    def __init__(self, reason: Reason, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.reason = reason


class RefusedError(Exception):
    """A value that cannot be written; the path is put together on the way out."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.path: list[str] = []

    def __str__(self) -> str:
        path = "".join(reversed(self.path[-_PATH_SHOWN:]))
        more = "..." if len(self.path) > _PATH_SHOWN else ""
        return f"{self.what} at value{path}{more}"
