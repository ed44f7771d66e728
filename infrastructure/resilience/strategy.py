"""What every strategy is: something that runs a call its own way, sync or async."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import cached_property, partial, wraps
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

Link: TypeAlias = Callable[
    [Callable[..., Awaitable[Any]], tuple[Any, ...], dict[str, Any]], Awaitable[Any]
]
"""What makes a call in a pipeline: of the call, its arguments and its keywords, as they are. To
spread them out and gather them again for each strategy would take longer than the strategies."""


class Strategy(ABC):
    """Runs calls; the state it keeps about them is its own and may be shared by many callers.

    As a decorator it goes around functions and coroutine functions alike.

    Attributes:
        name: Where it stands, such as `llm.default.breaker`; said in errors and measurements.
    """

    name: str = ""

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


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: also for partials, and objects with such a `__call__`.

    Raises:
        TypeError: It is a generator function: what it does runs outside of any strategy.
    """
    target = inspect.unwrap(function)
    while hasattr(target, "func"):  # functools.partial
        target = target.func
    if inspect.isasyncgenfunction(target) or inspect.isgeneratorfunction(target):
        msg = f"{target.__qualname__} is a generator function; guard the calls inside it instead"
        raise TypeError(msg)
    if inspect.iscoroutinefunction(target):
        return True
    return inspect.iscoroutinefunction(getattr(type(target), "__call__", None))  # noqa: B004 - the method is looked at, not asked whether it exists
