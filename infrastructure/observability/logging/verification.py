"""Checks that an audit file is what was written, over all of its backups."""

import gzip
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infrastructure.errors import NotFoundError
from infrastructure.observability.logging.backups import Backups
from infrastructure.observability.logging.chain import (
    FIRST,
    Link,
    Numbered,
    hash_of_torn,
    is_whole,
    lines_of,
    numbered_of,
)

#: How often a rotation during the reading is put up with.
_ATTEMPTS = 5


@dataclass(frozen=True)
class AuditBreak:
    """The first line that is not what it was, or not where it was."""

    file: Path
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


@dataclass(frozen=True)
class AuditReport:
    """What `verify_audit` has found.

    The chain cannot tell by itself that its last lines were cut off, nor that somebody has
    computed all of it anew: keep `last_seq` and `last_hash` elsewhere now and then, and hand them
    in as `known`.

    Attributes:
        lines: How many numbered lines are in order.
        first_seq: The number of the first; more than 1 where old backups were deleted.
        last_seq: The number of the last.
        last_hash: The hash of the last line.
        torn_lines: Halves that crashes have left, accounted for.
        broken: Where the chain breaks; None when it does not.
    """

    lines: int
    first_seq: int
    last_seq: int
    last_hash: str
    torn_lines: int = 0
    broken: AuditBreak | None = None

    @property
    def is_intact(self) -> bool:
        """Whether every line follows from the one before."""
        return self.broken is None


def verify_audit(path: Path | str, *, known: tuple[int, str] | None = None) -> AuditReport:
    """Follow the chain through all backups and the file itself, oldest first.

    It may be written meanwhile: half a line at the very end is a write that goes on, or was torn.

    Args:
        path: The file.
        known: `last_seq` and `last_hash` of an earlier report: the chain is broken where that
            line is missing or another one, unless it was deleted with old backups.

    Raises:
        NotFoundError: There is neither the file nor a backup of it.
    """
    file = Path(path).absolute()
    for _ in range(_ATTEMPTS):
        files = _files(file)
        if not files:
            break
        with suppress(FileNotFoundError):  # compressed or deleted just now
            report = _followed(files, known)
            if report.is_intact or _files(file) == files:
                return report
    raise NotFoundError(
        f"there is no audit file {file}, or it rotates faster than it can be read",
        where="logging.streams.audit.file",
    )


def _followed(files: list[Path], known: tuple[int, str] | None) -> AuditReport:
    walk = _Walk(Link(*known) if known else None)
    place = (files[0], 0)
    for file in files:
        try:
            for number, line in enumerate(lines_of(file), start=1):
                place = (file, number)
                if problem := walk.problem_with(line):
                    return walk.report(AuditBreak(*place, problem))
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return walk.report(AuditBreak(file, 1, "this backup cannot be unpacked"))
    problem = walk.problem_at_the_end()
    return walk.report(AuditBreak(*place, problem) if problem else None)


def _files(path: Path) -> list[Path]:
    backups = Backups(path).listed() if path.parent.is_dir() else []
    return [*backups, *([path] if path.exists() else [])]


class _Walk:
    """The chain as far as it was followed."""

    def __init__(self, known: Link | None) -> None:
        self._known = known
        self._lines = 0
        self._first = 0
        self._seq = 0
        self._hash = ""
        self._torn = 0
        #: Whether the last line was no audit line, and yet was ended.
        self._is_left_open = False

    def problem_with(self, line: bytes) -> str:
        """What is wrong with the next line; empty when nothing is."""
        numbered = numbered_of(line)
        self._is_left_open = numbered is None and line.endswith(b"\n")
        if numbered is None:
            self._torn += 1
            self._hash = hash_of_torn(self._hash or FIRST, line)
            return ""
        if self._seq and numbered.seq != self._seq + 1:
            return f"line {numbered.seq} follows line {self._seq}"
        before = self._hash or (FIRST if numbered.seq == 1 else numbered.prev)
        if numbered.prev != before:
            return "what stands before it was changed, removed or added"
        if not is_whole(line, numbered.hash):
            return "it was changed"
        if self._known and self._known.seq == numbered.seq and self._known.hash != numbered.hash:
            return "it is another line than the one that was known"
        self._took(numbered)
        return ""

    def problem_at_the_end(self) -> str:
        """What is wrong with a chain that ends here."""
        if self._is_left_open:
            return "nothing accounts for this line"
        if self._known and self._known.seq > self._seq:
            return f"it ends here, and line {self._known.seq} was known"
        return ""

    def report(self, broken: AuditBreak | None = None) -> AuditReport:
        """All that was seen."""
        return AuditReport(self._lines, self._first, self._seq, self._hash, self._torn, broken)

    def _took(self, numbered: Numbered) -> None:
        self._first = self._first or numbered.seq
        self._lines += 1
        self._seq = numbered.seq
        self._hash = numbered.hash
