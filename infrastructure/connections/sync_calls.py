"""What stands around the calls of a driver that blocks its thread."""

from typing import TYPE_CHECKING, Self

from infrastructure.resilience.clock import SYSTEM_CLOCK
from infrastructure.resilience.deadlines import Scope, Terms, remaining

if TYPE_CHECKING:
    from infrastructure.connections.sync_base import BaseConnectionManager


class SyncBounded(Scope):
    """`with` around a piece of a call: its errors ours, its end noted, and its time told.

    Nothing interrupts a thread: what blocks asks `seconds_left()` for how long it may.

    Args:
        manager: Whose call; `timeout_seconds` of its settings is the bound.
    """

    __slots__ = ("_manager",)

    def __init__(self, manager: "BaseConnectionManager") -> None:
        self._manager = manager

    def __enter__(self) -> Self:
        self.begin(self._manager.terms)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.end()
        if error is None:
            self._manager.note_answer()
            return
        ours = self._manager.noted(error)
        if ours is not None and ours is not error:
            raise ours from error


class SyncCalling(SyncBounded):
    """A whole call: it opens the connection if needed, and closing waits for its end."""

    __slots__ = ("_drain",)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._drain = self._manager.begin_call()
        except BaseException as error:
            super().__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._drain.end()
        super().__exit__(kind, error, trace)


def bounds_of(seconds: float, where: str) -> Terms:
    """What the bounds of a manager's calls have in common."""
    return Terms(seconds, where, SYSTEM_CLOCK, interrupts=False, is_shared=False)


def seconds_left(most: float) -> float:
    """How long the running call may still block; `most`, or what is left of its deadline."""
    left = remaining()
    return most if left is None else min(most, left)
