"""Locks of files between processes; where the system has none, one process writes one file."""

import time

try:
    import fcntl
except ImportError:  # pragma: no cover - not a POSIX system
    fcntl = None  # type: ignore[assignment]  # asked for below

# Looked up for each line.
if fcntl is not None:
    _flock, _TAKE, _LET_GO = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN

_FIRST_WAIT_SECONDS = 0.000_05
_LONGEST_WAIT_SECONDS = 0.01


def locked(descriptor: int) -> bool:
    """Take the file if nobody has it; whether that was so. Closing it lets go, too."""
    if fcntl is None:
        return True
    try:
        _flock(descriptor, _TAKE)
    except BlockingIOError:
        return False
    return True


def wait_for(descriptor: int, seconds: float) -> None:
    """Take the file once nobody has it.

    Raises:
        TimeoutError: Another process has it for longer than this; it may be frozen.
    """
    end = time.monotonic() + seconds
    wait = _FIRST_WAIT_SECONDS
    while not locked(descriptor):
        if time.monotonic() >= end:
            raise TimeoutError("another process holds the file")
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


def unlock(descriptor: int) -> None:
    """Let go of the file."""
    if fcntl is not None:
        _flock(descriptor, _LET_GO)
