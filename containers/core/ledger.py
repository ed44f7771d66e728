"""What is answered by compiled code, and must be dropped when the graph behind it changes.

Entries are held weakly: nothing here keeps a container alive.
"""

from collections.abc import Callable, Container, Iterable
from threading import RLock
from typing import Any, Protocol
from weakref import WeakSet


class Compiled(Protocol):
    """A provider or an injected function that answers by compiled code."""

    reach: frozenset[Any]

    def drop(self) -> None:
        """Go back to the uncompiled path."""


_lock = RLock()
_compiled: "WeakSet[Any]" = WeakSet()
_suspended: "WeakSet[Any]" = WeakSet()
_revision = 0
_declarations = 0


def revision() -> int:
    """Counts the changes of any graph; what was told from one at another count may be wrong."""
    return _revision


def declarations() -> int:
    """Counts the changes of what any provider in use declares; overrides are none."""
    return _declarations


def enter(thing: Compiled, reach: Iterable[Any], seen: int, install: Callable[[], None]) -> None:
    """Install code that was compiled at revision `seen`, unless a graph changed since.

    Args:
        thing: Whose calls it answers.
        reach: The providers it stands on.
        seen: The revision before it was compiled.
        install: Puts the code in its place.
    """
    with _lock:
        if seen == _revision:
            thing.reach = frozenset(reach)
            for provider in thing.reach:
                rely_on(provider)
            _compiled.add(thing)
            install()


def rely_on(provider: Any) -> None:
    """Have a provider of ours tell when its declaration changes."""
    if hasattr(type(provider), "is_relied_on"):
        provider.is_relied_on = True


def suspend(thing: Compiled, seen: int, install: Callable[[], None]) -> None:
    """Install uncompiled code for the time of an override."""
    with _lock:
        if seen == _revision:
            _suspended.add(thing)
            install()


def redeclared(provider: Any) -> None:
    """Drop what stands on the provider, and what was told from its declaration."""
    global _declarations  # noqa: PLW0603 - the one place that counts
    with _lock:
        _declarations += 1
        changed((provider,))


def changed(providers: Container[Any]) -> None:
    """Drop what stands on any of the providers."""
    global _revision  # noqa: PLW0603 - the one place that counts
    with _lock:
        _revision += 1
        for thing in list(_compiled):
            if any(provider in providers for provider in thing.reach):
                _compiled.discard(thing)
                thing.drop()


def resume() -> None:
    """Let what was suspended be compiled again, where no other override touches it."""
    global _revision  # noqa: PLW0603 - the one place that counts
    with _lock:
        _revision += 1
        resumed = list(_suspended)
        _suspended.clear()
        for thing in resumed:
            thing.drop()
