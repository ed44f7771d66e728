"""Something else to give when a call has failed."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from infrastructure.errors import ConfigurationError
from infrastructure.observability.metrics import COMPONENT, Measurement, counter
from infrastructure.resilience.rules import TEMPORARY, ErrorRules, Rule
from infrastructure.resilience.strategy import Link, LinkedStrategy, Place, innermost, is_async

T = TypeVar("T")


class Fallback(LinkedStrategy):
    """Gives a value, or what a function makes, in place of certain errors.

    Args:
        value: What is given; the object itself, so one that nobody changes.
        function: Makes what is given, from the error and the arguments of the call:
            `function(error, *args, **kwargs)`. For `run` it may be a coroutine function. What it
            raises goes to the caller, with the first error as its context.
        on: In place of which errors: exception types, categories or functions of the error.
            What was cancelled is never replaced.
        name: Where it stands.

    Attributes:
        calls: How many were made.
        used: How many got the value, or called the function.
        failed: How many of these functions failed, too.

    Raises:
        ConfigurationError: Neither a value nor a function is given, or both are.
    """

    place = Place.FALLBACK

    def __init__(
        self,
        *,
        value: Any = ...,
        function: Callable[..., Any] | None = None,
        on: Rule | Iterable[Rule] = TEMPORARY,
        name: str = "",
    ) -> None:
        where = name or "Fallback"
        if (value is ...) is (function is None):
            raise ConfigurationError("give either value= or function=, and not both", where=where)
        self.on = ErrorRules(on, where)
        self.name = name
        self.calls = 0
        self.used = 0
        self.failed = 0
        self._value = value
        self._function = function
        self._is_async = function is not None and is_async(function)

    def __repr__(self) -> str:
        if self._function is None:
            return f"Fallback(value={self._value!r})"
        return f"Fallback(function={getattr(self._function, '__qualname__', self._function)})"

    def around(self, inner: Link) -> Link:
        """Await the link, or give what stands in for it."""

        async def replaced(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            self.calls += 1
            try:
                return await inner(call, args, kwargs)
            except Exception as error:
                if not self.on.mean(error):
                    raise
                return await self._awaited_instead(error, innermost(call, args)[1], kwargs)

        return replaced

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call it, or give what stands in for it."""
        self._refuse_async()
        self.calls += 1
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if not self.on.mean(error):
                raise
            return cast("T", self._instead(error, innermost(call, args)[1], kwargs))

    def measurements(self) -> Iterator[Measurement]:
        """Calls, and how they were replaced."""
        labels = {COMPONENT: self.name}
        yield counter("switchgear.resilience.fallback.calls", self.calls, labels, unit="{call}")
        yield counter("switchgear.resilience.fallback.used", self.used, labels, unit="{call}")
        yield counter("switchgear.resilience.fallback.failed", self.failed, labels, unit="{call}")

    def _instead(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.used += 1
        if self._function is None:
            return self._value
        try:
            return self._function(error, *args, **kwargs)
        except Exception:
            self.failed += 1
            raise

    async def _awaited_instead(
        self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        instead = self._instead(error, args, kwargs)
        if not self._is_async:
            return instead
        try:
            return await instead
        except Exception:
            self.failed += 1
            raise

    def _refuse_async(self) -> None:
        if self._is_async:
            what = f"{self!r} is a coroutine function and cannot stand in for a plain one"
            raise ConfigurationError(what, where=self.name or "Fallback")
