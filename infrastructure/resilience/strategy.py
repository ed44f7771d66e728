"""What every strategy is: something that runs a call its own way, sync or async."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from enum import IntEnum
from functools import cached_property, partial, wraps
from types import TracebackType
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

Link: TypeAlias = Callable[
    [Callable[..., Awaitable[Any]], tuple[Any, ...], dict[str, Any]], Awaitable[Any]
]
"""What makes a call in a pipeline: of the call, its arguments and its keywords, as they are. To
spread them out and gather them again for each strategy would take longer than the strategies."""


class Place(IntEnum):
    """Where a strategy stands in a pipeline, from the caller inwards.

    The fallback sees every failure. The total timeout bounds retries and their waits. Each
    attempt and each hedge asks the breaker, so that they stop when it opens, and pays the rate
    limit; only one that may go takes a place in the bulkhead, and its own time runs from there.
    Chaos stands for the dependency itself.
    """

    FALLBACK = 1
    TIMEOUT = 2
    RETRY = 3
    HEDGE = 4
    BREAKER = 5
    RATE_LIMIT = 6
    BULKHEAD = 7
    ATTEMPT_TIMEOUT = 8
    CHAOS = 9
    INNERMOST = 10


class Strategy(ABC):
    """Runs calls; the state it keeps about them is its own and may be shared by many callers.

    As a decorator it goes around functions and coroutine functions alike.

    Attributes:
        name: Where it stands, such as `llm.default.breaker`; said in errors and measurements.
        place: Where it stands in a pipeline.
    """

    name: str = ""
    place: ClassVar[Place] = Place.INNERMOST

    @abstractmethod
    async def run(self, call: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Await `call(*args, **kwargs)` under this strategy."""

    @abstractmethod
    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call `call(*args, **kwargs)` under this strategy, in this thread."""

    def around(self, inner: Link) -> Link:
        """This strategy around a link, for a caller that awaits at once what it gets."""
        if inner is called:
            return lambda call, args, kwargs: self.run(call, *args, **kwargs)
        return partial(self.run, inner)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """`run` for a coroutine function, which gives an awaitable; `run_sync` for any other."""
        run = self.run if is_async(function) else self.run_sync
        return run(function, *args, **kwargs)

    def __call__(self, function: F) -> F:
        """The function, with every call of it run under this strategy."""
        if is_async(function):

            @wraps(function)
            async def guarded(*args: Any, **kwargs: Any) -> Any:
                return await self.run(function, *args, **kwargs)

        else:

            @wraps(function)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                return self.run_sync(function, *args, **kwargs)

        return guarded  # type: ignore[return-value]  # it is called as the function is


def called(
    call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Awaitable[Any]:
    """Make the call: the innermost link."""
    return call(*args, **kwargs)


class LinkedStrategy(Strategy):
    """A strategy that says in `around` what it does, at little cost in a pipeline."""

    @abstractmethod
    def around(self, inner: Link) -> Link:
        """This strategy around a link, for a caller that awaits at once what it gets."""

    async def run(self, call: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Await `call(*args, **kwargs)` under this strategy."""
        return await self._alone(call, args, kwargs)  # type: ignore[no-any-return]  # the call's

    def __call__(self, function: F) -> F:
        """The function, with every call of it run under this strategy."""
        if not is_async(function):
            return super().__call__(function)
        link = self._alone

        @wraps(function)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            return await link(function, args, kwargs)

        return guarded  # type: ignore[return-value]  # it is called as the function is

    @cached_property
    def _alone(self) -> Link:
        return self.around(called)


class Gate(LinkedStrategy):
    """A strategy that lets in; besides calls it goes around bodies: `with`, `async with`."""

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Make the call in this thread once it is let in."""
        with self:
            return call(*args, **kwargs)

    def __enter__(self) -> Self:
        if not self._enters():
            self._wait_sync()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit(error)

    async def __aenter__(self) -> Self:
        if not self._enters():
            await self._wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit(error)

    @abstractmethod
    def _enters(self) -> bool:
        """Go in if that takes no waiting."""

    async def _wait(self) -> None:
        """Go in after a wait."""

    def _wait_sync(self) -> None:
        """Go in after a wait of this thread."""

    def _exit(self, error: BaseException | None) -> None:
        """Come out of a body that ended with this error, or without one."""


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: also for partials, and objects with such a `__call__`.

    What wraps a function is looked at before what it wraps, for that is what is called.

    Raises:
        TypeError: It is a generator function: what it does runs outside of any strategy.
    """
    target: Any = function
    while not inspect.iscoroutinefunction(target):
        if inspect.isasyncgenfunction(target) or inspect.isgeneratorfunction(target):
            msg = f"{target.__qualname__} is a generator function; guard the calls inside it"
            raise TypeError(msg)
        inner = target.func if isinstance(target, partial) else _wrapped(target)
        if inner is None:
            return inspect.iscoroutinefunction(getattr(type(target), "__call__", None))  # noqa: B004 - the method is looked at, not asked whether it exists
        target = inner
    return True


def innermost(call: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """What is called in the end, and with what: `retry.run, (breaker.run, get, "x")` calls get."""
    while True:
        if isinstance(call, partial):
            call, args = call.func, (*call.args, *args)
        elif args and isinstance(getattr(call, "__self__", None), Strategy):
            call, args = args[0], args[1:]
        else:
            return call, args


def _wrapped(target: Any) -> Any:
    return getattr(target, "__wrapped__", None)
