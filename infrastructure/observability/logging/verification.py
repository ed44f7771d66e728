"""Checks that an audit file is what was written, over all of its backups."""

import gzip
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infrastructure.errors import ConfigurationError, NotFoundError
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

    The chain cannot tell by itself that its last lines were cut off, nor, without a key, that
    somebody has computed all of it anew: keep `last_seq` and `last_hash` elsewhere now and then,
    and hand them in as `known`.

    Attributes:
        lines: How many numbered lines are in order.
        first_seq: The number of the first; more than 1 where old backups were deleted.
        last_seq: The number of the last.
        last_hash: The hash of the last line.
        torn_lines: Halves that crashes have left, accounted for.
        keyed_lines: How many of the lines are sealed with a key.
        broken: Where the chain breaks; None when it does not.
    """

    lines: int
    first_seq: int
    last_seq: int
    last_hash: str
    torn_lines: int = 0
    keyed_lines: int = 0
    broken: AuditBreak | None = None

    @property
    def is_intact(self) -> bool:
        """Whether every line follows from the one before."""
        return self.broken is None


def verify_audit(
    path: Path | str,
    *,
    known: tuple[int, str] | None = None,
    keys: Mapping[str, str] | None = None,
) -> AuditReport:
    """Follow the chain through all backups and the file itself, oldest first.

    It may be written meanwhile: half a line at the very end is a write that goes on, or was torn.

    Args:
        path: The file.
        known: `last_seq` and `last_hash` of an earlier report: the chain is broken where that
            line is missing or another one, unless it was deleted with old backups.
        keys: The secrets that lines are sealed with, by the ids in them; retired ones too. With
            any, a chain without a key is broken, and so is one that goes on without after a line
            that has one; lines from before the first key are covered by that one.

    Raises:
        ConfigurationError: A line is sealed with a key that was not handed in, or a file cannot
            be read.
        NotFoundError: There is neither the file nor a backup of it.
    """
    file = Path(path).absolute()
    for _ in range(_ATTEMPTS):
        files = _files(file)
        if not files:
            break
        with suppress(FileNotFoundError):  # compressed or deleted just now
            report = _followed(files, _Walk(Link(*known) if known else None, keys or {}))
            if report.is_intact or _files(file) == files:
                return report
    raise NotFoundError(
        f"there is no audit file {file}, or it rotates faster than it can be read",
        where="logging.streams.audit.file",
    )


def _followed(files: list[Path], walk: "_Walk") -> AuditReport:
    place = (files[0], 0)
    for file in files:
        try:
            for number, line in enumerate(lines_of(file), start=1):
                place = (file, number)
                if problem := walk.problem_with(line):
                    return walk.report(AuditBreak(*place, problem))
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return walk.report(AuditBreak(file, 1, "this backup cannot be unpacked"))
        except _KeyMissingError as missing:
            raise _key_missing(AuditBreak(*place, missing.key)) from None
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ConfigurationError(
                f"cannot be read ({error.strerror})",
                where=str(file),
                hint="Verify as a user who may read the audit file and its backups.",
            ) from error
    problem = walk.problem_at_the_end()
    return walk.report(AuditBreak(*place, problem) if problem else None)


def _files(path: Path) -> list[Path]:
    backups = Backups(path).listed() if path.parent.is_dir() else []
    return [*backups, *([path] if path.exists() else [])]


class _KeyMissingError(Exception):
    def __init__(self, key: str) -> None:
        self.key = f"{key[:64]!a}"  # whoever can write the file has chosen it


def _key_missing(at: AuditBreak) -> ConfigurationError:
    return ConfigurationError(
        f"keyed, key missing: this line is sealed with the key {at.problem}",
        where=f"{at.file}:{at.line}",
        hint="Hand in its secret: verify_audit(path, keys={id: secret}), "
        "or `switchgear audit FILE --key ID=SECRET_FILE`.",
    )


class _Walk:
    """The chain as far as it was followed."""

    def __init__(self, known: Link | None, keys: Mapping[str, str]) -> None:
        self._known = known
        self._keys = keys
        self._keyed = 0
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
        if problem := self._misplaced(numbered):
            return problem
        if not is_whole(line, numbered.hash, self._secret_of(numbered)):
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
        if self._keys and self._lines and not self._keyed:
            return "it ends here, and no line of it is sealed with a key"
        return ""

    def report(self, broken: AuditBreak | None = None) -> AuditReport:
        """All that was seen."""
        last, torn, keyed = (self._seq, self._hash), self._torn, self._keyed
        return AuditReport(self._lines, self._first, *last, torn, keyed, broken)

    def _misplaced(self, numbered: Numbered) -> str:
        """Why the line cannot follow the one before; empty when it can."""
        if self._seq and numbered.seq != self._seq + 1:
            return f"line {numbered.seq} follows line {self._seq}"
        before = self._hash or (FIRST if numbered.seq == 1 else numbered.prev)
        if numbered.prev != before:
            return "what stands before it was changed, removed or added"
        if self._keyed and not numbered.key:
            return "it is sealed with no key, and a line before it is"
        return ""

    def _secret_of(self, numbered: Numbered) -> bytes | None:
        if not numbered.key:
            return None
        if numbered.key not in self._keys:
            raise _KeyMissingError(numbered.key)
        return self._keys[numbered.key].encode()

    def _took(self, numbered: Numbered) -> None:
        self._first = self._first or numbered.seq
        self._lines += 1
        self._keyed += bool(numbered.key)
        self._seq = numbered.seq
        self._hash = numbered.hash
