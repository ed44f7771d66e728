"""Threads, executors and processes that know for whom they work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import Context, copy_context
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from infrastructure.observability.logging.context import (
    correlation_id,
    current_correlation_id,
    with_context,
)

P = ParamSpec("P")
T = TypeVar("T")


class ContextExecutor(ThreadPoolExecutor):
    """A pool of threads whose work runs in the context it was submitted from.

    As a loop's default executor it carries the correlation id through `run_in_executor(None, ...)`.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it in a copy of the caller's context."""
        return super().submit(with_context(fn), *args, **kwargs)


class ContextThread(Thread):
    """A thread that runs in the context it was started from."""

    _context: Context

    def start(self) -> None:
        """Start it."""
        self._context = copy_context()
        super().start()

    def run(self) -> None:
        """Run the target."""
        self._context.run(super().run)


def carrying(executor: Executor) -> Executor:
    """The executor, handing the context over with all that is submitted.

    To processes only the correlation id goes: contexts cannot. Shutting the answer down shuts
    the executor down.
    """
    kind = _ByProcess if isinstance(executor, ProcessPoolExecutor) else _ByThread
    return kind(executor)


class _ByThread(Executor):
    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._executor.submit(with_context(fn), *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


class _ByProcess(_ByThread):
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._executor.submit(_under, current_correlation_id(), fn, args, kwargs)


def _under(
    identity: str | None, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> T:
    if identity is None:
        return function(*args, **kwargs)
    with correlation_id(identity):
        return function(*args, **kwargs)
