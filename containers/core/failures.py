"""What went wrong in a start or an end of a container: gathered by path, and told."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from containers.core.agenda import Step
from containers.errors import LifecycleError

Failures = dict[str, BaseException]


@contextmanager
def going_on(error: BaseException | None) -> Iterator[None]:
    """Around a stop after the error: a cancellation or an exit stays what it is, and goes on."""
    try:
        yield
    except BaseExceptionGroup as failures:
        if error is None or isinstance(error, Exception):
            raise
        raise error from failures


def failures_of(level: Iterable[Step], tasks: Mapping[Any, "asyncio.Task[None]"]) -> Failures:
    """The errors by path; what only waited for a failed one is left out."""
    failed = {
        provider: error for provider, task in tasks.items() if (error := _failure(task)) is not None
    }
    return {
        step.path: failed[step.provider]
        for step in level
        if step.provider in failed and not step.needs & failed.keys()
    }


def _failure(task: "asyncio.Task[None]") -> BaseException | None:
    """What went wrong; a thing that cancels itself has failed too."""
    if task.cancelled():
        return asyncio.CancelledError("it cancelled its own start")
    return task.exception()


def not_started(failures: Failures, unended: Failures) -> LifecycleError:
    """The error of a start, with what failed while it was undone."""
    what = "could not start; what had started was ended"
    return LifecycleError(what, failures=failures, unended=unended)


def note(error: BaseException, unended: Failures, late: Iterable[BaseException] = ()) -> None:
    """Write on what interrupted a start what failed while it was undone."""
    for each in late:
        error.add_note(f"while it was interrupted: {type(each).__name__}: {each}")
    for path, each in unended.items():
        error.add_note(f"while ending '{path}': {type(each).__name__}: {each}")


def raise_unended(failures: Failures) -> None:
    """Raise all that failed to end, each with a note of its path."""
    for path, error in failures.items():
        error.add_note(f"while ending '{path}'")
    if failures:
        raise BaseExceptionGroup("the container did not end cleanly", list(failures.values()))
