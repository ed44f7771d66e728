"""Entering what a target made, and ending it again: shared by scopes and by type-keyed services."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

from containers.core.targets import Target
from containers.errors import ContainerError

#: Ends what was made, given the exception of the body or None; awaited for what is async.
End = Callable[[Any, BaseException | None], Any]
ENDED = object()


def enter(kind: Target, made: Any) -> tuple[Any, End | None]:
    """The object that a target's result stands for, and how the result ends."""
    if kind is Target.GENERATOR:
        return first_of(made), end_generator
    if kind is Target.CONTEXT:
        return made.__enter__(), end_context
    return made, None


async def enter_async(kind: Target, made: Any) -> tuple[Any, End | None]:
    """The same for every kind, awaiting where it must be."""
    if kind is Target.ASYNC_GENERATOR:
        return await first_of_async(made), end_async_generator
    if kind is Target.ASYNC_CONTEXT:
        return await made.__aenter__(), end_async_context
    return enter(kind, made)


def first_of(generator: Generator[Any, Any, Any]) -> Any:
    """What the generator yields.

    Raises:
        ContainerError: It ended without.
    """
    try:
        return next(generator)
    except StopIteration:
        raise yielded_nothing(generator) from None


async def first_of_async(generator: AsyncGenerator[Any, Any]) -> Any:
    """The same for an async generator."""
    try:
        return await generator.asend(None)
    except StopAsyncIteration:
        raise yielded_nothing(generator) from None


def end_generator(generator: Generator[Any, Any, Any], error: BaseException | None) -> None:
    """Go on after the `yield`, or throw the body's exception there."""
    try:
        if error is not None:
            generator.throw(error)
        elif next(generator, ENDED) is ENDED:
            return
    except StopIteration:
        return
    raise yielded_again(generator)


def yielded_again(generator: Generator[Any, Any, None]) -> ContainerError:
    """The error of a generator that did not end after its `yield`; it is closed."""
    generator.close()
    return _wrong_yields(generator, "yielded twice")


async def end_async_generator(
    generator: AsyncGenerator[Any, Any], error: BaseException | None
) -> None:
    """The same for an async generator."""
    try:
        await (generator.asend(None) if error is None else generator.athrow(error))
    except StopAsyncIteration:
        return
    raise await yielded_twice(generator)


def begin_to_end(generator: AsyncGenerator[Any, Any]) -> "Begun | None":
    """End an async generator up to its first wait, without a coroutine; None where it has none.

    What is left is to be ended by `end_begun`.
    """
    step = generator.asend(None)
    try:
        return Begun(generator, step, waiting=step.send(None))
    except StopAsyncIteration:
        return None
    except BaseException as failure:  # noqa: BLE001 - raised where the others are collected
        return Begun(generator, step, failure=failure)


class Begun:
    """The end of an async generator that was begun: the rest of it, to be awaited.

    Args (of the constructor):
        generator: Which ends.
        step: Its step, that was begun.
        waiting: What the step waits for.
        failure: What it raised; a StopIteration where it yielded again.
    """

    def __init__(
        self,
        generator: AsyncGenerator[Any, Any],
        step: Any,
        *,
        waiting: Any = None,
        failure: BaseException | None = None,
    ) -> None:
        self.generator = generator
        self._step = step
        self._waiting = waiting
        self._failure = failure

    def __await__(self) -> Generator[Any, Any, None]:
        waiting = self._waiting
        try:
            if self._failure is not None:
                raise self._failure
            while True:
                try:
                    sent = yield waiting
                except BaseException as error:  # noqa: BLE001 - the generator's to handle
                    waiting = self._step.throw(error)
                else:
                    waiting = self._step.send(sent)
        except StopIteration:
            return


async def end_begun(begun: Begun, _error: BaseException | None) -> None:
    """Wait for the rest of it."""
    try:
        await begun
    except StopAsyncIteration:
        return
    raise await yielded_twice(begun.generator)


async def yielded_twice(generator: AsyncGenerator[Any, Any]) -> ContainerError:
    """The error of an async generator that did not end after its `yield`; it is closed."""
    await generator.aclose()
    return _wrong_yields(generator, "yielded twice")


def end_context(manager: Any, error: BaseException | None) -> None:
    """Leave the context manager; whether it would swallow the error does not matter."""
    manager.__exit__(*details(error))


async def end_async_context(manager: Any, error: BaseException | None) -> None:
    """The same for an async context manager."""
    await manager.__aexit__(*details(error))


def collect(
    failures: list[BaseException], error: BaseException, body: BaseException | None
) -> None:
    """Keep what an ending raised, so that the others still run; the body's own error passes."""
    if error is not body and not _is_body_in_disguise(error, body):
        failures.append(error)


@contextlib.contextmanager
def collected(failures: list[BaseException], body: BaseException | None) -> Iterator[None]:
    """The same as a block around the ending."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - every ending must have its turn
        collect(failures, error, body)


@contextlib.contextmanager
def unless_it_is(body: BaseException | None) -> Iterator[None]:
    """Let go what the ending raises, but not the body's own error: that is on its way already."""
    try:
        yield
    except BaseException as error:
        if error is not body and not _is_body_in_disguise(error, body):
            raise


def raise_failures(
    failures: list[BaseException], body: BaseException | None, *, of: str = "scope"
) -> None:
    """Raise what failed; a cancellation or an exit of the body stays what it is, caused by it."""
    if not failures:
        return
    group = BaseExceptionGroup(f"{len(failures)} of the {of}'s objects failed to end", failures)
    if body is None or isinstance(body, Exception):
        raise group from body
    raise body from group


def yielded_nothing(generator: Any) -> ContainerError:
    """The error of a generator that ended before its `yield`."""
    return _wrong_yields(generator, "yielded nothing")


def _wrong_yields(generator: Any, what: str) -> ContainerError:
    return ContainerError(
        f"the generator '{generator.__qualname__}' {what}",
        where="containers",
        hint="Yield the object once; what follows ends it.",
    )


def details(error: BaseException | None) -> tuple[Any, Any, Any]:
    """What a context manager is told when it is left."""
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def _is_body_in_disguise(error: BaseException, body: BaseException | None) -> bool:
    """Python hands a StopIteration thrown into a generator back inside a RuntimeError."""
    stops = isinstance(body, (StopIteration, StopAsyncIteration))
    return stops and isinstance(error, RuntimeError) and error.__cause__ is body
