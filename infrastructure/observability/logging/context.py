"""The correlation id: set once at the edge, found on every line written below it."""

import re
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_ACCEPTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")

_current: ContextVar[str | None] = ContextVar("switchgear_correlation_id", default=None)


def current_correlation_id() -> str | None:
    """The id of the work that is going on here; None outside of any."""
    return _current.get()


def bind_correlation_id(value: str) -> None:
    """Use this id for the rest of this task or thread, and for the tasks it starts."""
    _current.set(value)


@contextmanager
def correlation_id(value: str | None = None) -> Iterator[str]:
    """Use this id, or a new one, inside the block; the one before comes back after it."""
    chosen = value or uuid.uuid4().hex
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)


def accepted_correlation_id(value: str | None) -> str | None:
    """An id from outside, such as a header, if it is safe to repeat; None otherwise.

    Letters, digits and `. _ : -`, at most 128 of them.
    """
    return value if value and _ACCEPTED.fullmatch(value) else None


def trace_ids() -> tuple[str, str] | tuple[None, None]:
    """The ids of the trace and the span that are active here; OpenTelemetry is not imported."""
    trace = sys.modules.get("opentelemetry.trace")
    current_span = getattr(trace, "get_current_span", None)  # another thread may be importing it
    if current_span is None:
        return None, None
    context = current_span().get_span_context()
    if not context.is_valid:
        return None, None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def with_context(function: Callable[P, T]) -> Callable[P, T]:
    """The function, carrying the context it was wrapped in.

    Tasks and `asyncio.to_thread` carry it by themselves; `run_in_executor`, an executor's
    `submit` and `threading.Thread` do not, so wrap what is handed to them.
    """
    context = copy_context()

    @wraps(function, updated=())
    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        # A copy for each call: two threads cannot be inside one context at once.
        return context.copy().run(function, *args, **kwargs)

    return carried
