"""What the set-ups of a process share, since loguru and the root logger are global."""

from __future__ import annotations

import atexit
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING

from infrastructure.forks import remember
from infrastructure.observability.logging.interception import Interception
from infrastructure.observability.logging.origin import Origin
from infrastructure.observability.logging.redaction import Redactor

if TYPE_CHECKING:
    from infrastructure.observability.logging.handle import LoggingHandle

#: The set-up whose block is open here.
current_handle: ContextVar[LoggingHandle | None] = ContextVar("switchgear_logging", default=None)


class Process:
    """The open handles, and what they do together.

    A line that nobody claims reaches the sinks of every handle, so each masks the secrets of all.

    Attributes:
        redactor: It knows the secrets of every open handle.
        is_shared: Whether there is more than one.
    """

    def __init__(self) -> None:
        self.redactor = Redactor()
        self.is_shared = False
        self._handles: tuple[LoggingHandle, ...] = ()
        self._interception = Interception()
        self.after_fork()
        remember(self.after_fork)

    def after_fork(self) -> None:
        """Let go of the lock that another thread of the parent may have held."""
        self._lock = threading.Lock()

    def enter(self, handle: LoggingHandle) -> None:
        """Take a handle in."""
        with self._lock:
            self._handles = (*self._handles, handle)
            self._changed()

    def leave(self, handle: LoggingHandle) -> None:
        """Let a handle go; harmless when it is gone."""
        with self._lock:
            if handle in self._handles:
                self._handles = tuple(one for one in self._handles if one is not handle)
                self._changed()

    def is_for(self, handle: LoggingHandle, origin: Origin) -> bool:
        """Whether a line reaches the sinks of this handle.

        The logger's own handle goes first, then the one whose block or scope the line is written
        in; a line that nobody claims is for all.
        """
        owner = origin.handle or current_handle.get()
        if owner is not None:
            return owner is handle
        claiming = [one for one in self._handles if one.claims()]
        return handle in claiming if claiming else True

    def close_all(self) -> None:
        """Close what was left open, so that no line is left waiting."""
        for handle in self._handles:
            handle.close()

    def _changed(self) -> None:
        handles = self._handles
        self.is_shared = len(handles) > 1
        self.redactor.learn(secret for handle in handles for secret in handle.secrets)
        listening = [handle.levels for handle in handles if handle.config.intercept_stdlib]
        if not listening:
            self._interception.uninstall()
            return
        names = {name for levels in listening for name in levels.named}
        self._interception.install(
            min(levels.stdlib_lowest for levels in listening),
            {
                name: min(levels.least(Origin(name, is_vendor=True)) for levels in listening)
                for name in names
            },
        )


process = Process()
atexit.register(process.close_all)
