"""Reading small text files without surprises."""

import os
import stat
from pathlib import Path

#: More than any settings or secret file needs; a larger one is the wrong file.
MAX_BYTES = 1_000_000


class UnreadableError(Exception):
    """A file cannot be read; the text says why and holds nothing of the content."""


def read_text(path: Path | str) -> str:
    """The text of a regular file in UTF-8, with or without a byte order mark.

    Raises:
        UnreadableError: It is missing, not a file, too large, not permitted, or not UTF-8.
    """
    try:
        return _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 (byte {error.start + 1})"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except ValueError:
        reason = "is not a path"
    raise UnreadableError(reason)


def without_final_newline(text: str) -> str:
    """What editors and `echo` add at the end of a secret does not belong to it."""
    return text.removesuffix("\n").removesuffix("\r")


def _read_bytes(path: Path | str) -> bytes:
    with open(path, "rb", opener=_opened) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableError("is not a regular file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UnreadableError(f"is larger than {MAX_BYTES} bytes")
    return content


def _opened(path: str, flags: int) -> int:
    # Opening a pipe that nobody writes to must not wait.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
