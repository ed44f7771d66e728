"""Lines that wait for a thread of their own: bounded, the oldest dropped and counted."""

import threading
from collections import deque
from collections.abc import Callable

from infrastructure.forks import remember


class LineQueue:
    """Hands lines to `deliver` on one thread, in batches.

    Whoever puts a line never waits. A forked child gets a thread of its own with its first line;
    the lines that were waiting are the parent's.

    Args:
        deliver: Takes a batch; may block, must not raise.
        max_lines: How many may wait; beyond, the oldest go.
        batch_lines: How many are handed over at once, at most.
        linger_seconds: How long a batch that is not full waits for more.
        overflowed: Told, on the thread, how many lines were dropped so far, when there are more.

    Attributes:
        dropped: Lines that were never delivered.
        is_closing: Whether `deliver` should come to an end.
        is_over: Whether nobody waits for it any more.
    """

    def __init__(
        self,
        deliver: Callable[[list[bytes]], None],
        max_lines: int,
        *,
        batch_lines: int = 1,
        linger_seconds: float = 0.0,
        overflowed: Callable[[int], object] = int,
    ) -> None:
        self._overflowed = overflowed
        self._deliver = deliver
        self._batch_lines = batch_lines
        self._linger = linger_seconds
        self._lines: deque[bytes] = deque()
        self._max_lines = max_lines
        self.after_fork()
        remember(self.after_fork)

    def after_fork(self) -> None:
        """Start empty, without the parent's thread."""
        self.dropped = 0
        self.is_closing = False
        self.is_over = False
        self._lines = deque()
        self._busy = 0
        self._told = 0
        # Reentrant: a signal handler may log while a line is put.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None

    def put(self, line: bytes) -> None:
        """Take the line; after `close` it is dropped.

        Raises:
            RuntimeError: The system has no thread left; the line is not taken.
        """
        with self._changed:
            if self.is_closing:
                self.dropped += 1
                return
            if self._thread is None:  # first: where the system has none left, no line is taken
                thread = threading.Thread(target=self._run, name="log-lines", daemon=True)
                thread.start()
                self._thread = thread
            if len(self._lines) >= self._max_lines:
                self._lines.popleft()
                self.dropped += 1
            self._lines.append(line)
            if len(self._lines) in {1, self._batch_lines}:
                self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait, on the thread that delivers; not on when `close` is called, or is done waiting."""
        with self._changed:
            before = self.is_closing
            self._changed.wait_for(lambda: self.is_over or self.is_closing != before, seconds)

    def close(self, seconds: float) -> None:
        """Wait for the lines that are left, this long; the others are dropped and counted."""
        with self._changed:
            self.is_closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)
        with self._changed:
            self.is_over = True
            self._changed.notify_all()
            self.dropped += len(self._lines) + self._busy
            self._lines.clear()
            self._busy = 0

    def _run(self) -> None:
        while batch := self._next():
            self._deliver(batch)
            with self._changed:
                self._busy = 0
                told, self._told = self._told, self.dropped
            if self._told > told:
                self._overflowed(self._told)

    def _next(self) -> list[bytes]:
        """The next batch; empty when the queue is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self.is_closing)
            self._changed.wait_for(self._is_full, self._linger)
            batch = [self._lines.popleft() for _ in range(min(len(self._lines), self._batch_lines))]
            self._busy = len(batch)
            return batch

    def _is_full(self) -> bool:
        return self.is_closing or len(self._lines) >= self._batch_lines
