"""What must be made anew in a forked child: locks may be held, threads are gone."""

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

_known: set[WeakMethod[Any]] = set()


def remember(after_fork: Callable[[], None]) -> None:
    """Call this method in every forked child before anything else runs, as long as its owner lives.

    It forgets what belongs to the parent: a lock, a thread, a file, a connection.
    """
    _known.add(WeakMethod(after_fork, _known.discard))


def _after_fork() -> None:
    for known in list(_known):
        method = known()
        if method is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
