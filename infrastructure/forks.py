"""What must be made anew in a forked child: locks may be held, threads are gone."""

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

_known: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def remember(after_fork: Any) -> None:
    """Call this method in every forked child before anything else runs, as long as its owner lives.

    It forgets what belongs to the parent: a lock, a thread, a file, a connection.

    Args:
        after_fork: A bound method.
    """
    _known[after_fork.__self__] = after_fork.__func__


def _after_fork() -> None:
    for owner, after_fork in list(_known.items()):
        after_fork(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
