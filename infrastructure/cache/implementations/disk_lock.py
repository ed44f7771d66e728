"""A lock between processes, held by an open file; where the system has none, nothing is locked."""

import time

try:
    import fcntl
except ImportError:  # pragma: no cover - not a POSIX system
    fcntl = None  # type: ignore[assignment]  # asked for below

_PAUSE_SECONDS = 0.001


def lock(descriptor: int, seconds: float) -> None:
    """Wait for the file and hold it until it is closed.

    Raises:
        TimeoutError: Another process holds it for longer than that; it may be frozen.
    """
    end = time.monotonic() + seconds
    while not _is_locked(descriptor):
        if time.monotonic() >= end:
            raise TimeoutError("another process holds the file")
        time.sleep(_PAUSE_SECONDS)


def _is_locked(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
