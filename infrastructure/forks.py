"""What must be made anew in a forked child: locks may be held, threads are gone."""

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something with a lock, a thread or a file of its own."""

    def after_fork(self) -> None:
        """Forget what belongs to the parent; called in the child, before anything else runs."""
        ...


_known: WeakSet[Forked] = WeakSet()


def remember(forked: Forked) -> None:
    """Tell it of every fork, as long as it lives."""
    _known.add(forked)


def _after_fork() -> None:
    for forked in list(_known):
        forked.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
