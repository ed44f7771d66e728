"""A bound on how long a body of code may take, and how much of that time is left."""

from asyncio import CancelledError, Task, current_task, get_running_loop
from contextvars import ContextVar, Token
from typing import Any, Self

from infrastructure.errors import DeadlineExceededError
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock, Timer
from infrastructure.resilience.timers import Queues, Timed


class Terms:
    """What deadlines of one kind have in common; made once, for making deadlines must be cheap.

    Attributes:
        interrupts: Whether the running task is cancelled at the end.
        queues: Where its deadlines share a timer; None gives each one of its own.
    """

    __slots__ = ("call_later", "interrupts", "now", "queues", "seconds", "where")

    def __init__(
        self, seconds: float, where: str, clock: Clock, *, interrupts: bool, is_shared: bool
    ) -> None:
        self.seconds = seconds
        self.where = where
        self.interrupts = interrupts
        self.queues = Queues(clock) if is_shared else None
        self.now = clock.now
        self.call_later = clock.call_later


class Scope:
    """The time of one body, from `begin` to `end`; see `Deadline`.

    Attributes:
        terms: How long, and how it ends.
        task: Whose time it is; None in a thread without a task, and after the end.
        at: When it is up, by the clock.
        outer: The scope around it.
        expired: Whether the body was cut.
        is_over: Whether the body was left.
    """

    __slots__ = (
        "_cancels", "_token", "_waiting", "at", "expired", "is_over", "outer", "task", "terms",
    )  # fmt: skip

    def begin(self, terms: Terms) -> None:
        """Let the time run from now on."""
        try:
            loop = get_running_loop()
        except RuntimeError:  # none runs in this thread
            self.task = task = None
        else:
            self.task = task = current_task(loop)
        self.terms = terms
        self.expired = self.is_over = False
        self._waiting: dict[Timed, None] | None = None
        outer = _innermost.get()
        self.outer = outer if outer is None or not outer.is_over else _lasting(outer)
        self._token: Token[Scope | None] = _innermost.set(self)
        now = terms.now  # Python 3.11 takes long to call an attribute that is no method
        self.at = now() + terms.seconds
        if task is not None:
            self._cancels = task.cancelling()
            queues = terms.queues
            if queues is not None:
                last = queues.last
                queue = last()
                if queue is None or queue.loop is not loop:
                    queue = queues.of(loop)
                self._waiting = queue.waiting
                queue.waiting[self] = None
                if not queue.is_armed:
                    queue.arm(terms.seconds)

    def end(self, error: BaseException | None = None) -> None:
        """Stop the time; `error` is what ended the body.

        Raises:
            DeadlineExceededError: It was cut.
        """
        if self._waiting is not None:
            self._waiting.pop(self, None)
        try:
            _innermost.reset(self._token)
        except ValueError:
            self.outer = None  # a generator closed by another task than it ran in
        task, self.task, self.is_over = self.task, None, True
        if self.expired and task is not None:
            others = task.uncancel() - self._cancels
            if others <= 0 and isinstance(error, CancelledError):
                raise DeadlineExceededError(self.terms.seconds, where=self.terms.where) from error

    def remaining(self) -> float:
        """Seconds left, and 0 when there are none."""
        return max(0.0, self.at - self.terms.now())

    def cut(self) -> None:
        """Cancel the body: its time is up."""
        self.expired = True
        if self.task is not None:
            self.task.cancel()


class Deadline(Scope):
    """The end of a body's time: `async with Deadline(0.25, "cache.default"): ...`; `with` as well.

    In a coroutine the body is cancelled at the end of its time. Other code is not interrupted:
    it asks `remaining()`. One object bounds one body at a time. Do not `yield` out of the body:
    what the reader does then would be cut, too.

    Args:
        seconds: From entering on.
        where: Said in the error.
        clock: What is time.
        interrupts: Whether the running task is cancelled at the end.

    Raises:
        DeadlineExceededError: The body was cut. A task cancelled by somebody else at the same
            time stays cancelled.
    """

    __slots__ = ("_timer",)

    def __init__(
        self,
        seconds: float,
        where: str = "",
        clock: Clock = SYSTEM_CLOCK,
        *,
        interrupts: bool = True,
    ) -> None:
        if clock is SYSTEM_CLOCK and interrupts:
            self.terms = _usual.get((seconds, where)) or _first(seconds, where)
        else:
            self.terms = Terms(seconds, where, clock, interrupts=interrupts, is_shared=False)

    def __enter__(self) -> Self:
        self.begin(self.terms)
        if self.terms.queues is None:
            self._set_timer()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self.terms.queues is None and self._timer is not None:
            self._timer.cancel()
        self.end(error)

    async def __aenter__(self) -> Self:
        self.begin(self.terms)
        if self.terms.queues is None:
            self._set_timer()
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self.terms.queues is None and self._timer is not None:
            self._timer.cancel()
        self.end(error)

    def _set_timer(self) -> None:
        self._timer: Timer | None = None
        if self.task is not None and self.terms.interrupts:
            self._timer = self.terms.call_later(self.terms.seconds, self.cut)


deadline = Deadline
"""`Deadline`, as it reads before a body."""

_innermost: ContextVar[Scope | None] = ContextVar("switchgear_deadline", default=None)

#: Terms that were asked for before, and so may share a timer; a time that was worked out, such as
#: what is left of another, is not asked for again.
_usual: dict[tuple[float, str], Terms] = {}
_MOST_USUAL = 1_000


def remaining() -> float | None:
    """Seconds left to the code that asks, or None when nothing bounds it.

    A deadline is that of the task that opened it, and of threads this task hands work to with
    `asyncio.to_thread`; a task started under it has its own time, for it may outlive it.
    """
    scope = _innermost.get()
    if scope is None:
        return None
    task = whose = _current_task()
    left: float | None = None
    while scope is not None:
        whose = whose or scope.task  # a thread's time is that of the task it works for
        if scope.task is whose or scope.task is task:
            seconds = scope.remaining()
            left = seconds if left is None else min(left, seconds)
        scope = scope.outer
    return left


def _first(seconds: float, where: str) -> Terms:
    """Terms for a time asked for the first time; they are shared from the second time on."""
    if len(_usual) >= _MOST_USUAL:
        _usual.clear()
    _usual[seconds, where] = Terms(seconds, where, SYSTEM_CLOCK, interrupts=True, is_shared=True)
    return Terms(seconds, where, SYSTEM_CLOCK, interrupts=True, is_shared=False)


def _lasting(scope: Scope | None) -> Scope | None:
    """The innermost that is not over, of this and those around it."""
    while scope is not None and scope.is_over:
        scope = scope.outer
    return scope


def _current_task() -> Task[Any] | None:
    try:
        return current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
