"""Several strategies around one call, in the one order that makes sense."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from enum import IntEnum
from functools import partial
from typing import Any, Final, TypeVar

from infrastructure.errors import ConfigurationError
from infrastructure.observability.metrics import Measured, Measurement
from infrastructure.resilience.breaker import CircuitBreaker
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.chaos import Chaos
from infrastructure.resilience.fallback import Fallback
from infrastructure.resilience.hedge import Hedge, is_idempotent
from infrastructure.resilience.rate_limiter import RateLimiter
from infrastructure.resilience.retry import Retry
from infrastructure.resilience.strategy import Link, Strategy, called
from infrastructure.resilience.timeout import Timeout

T = TypeVar("T")


class Place(IntEnum):
    """Where a strategy stands, from the caller inwards.

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


_PLACES: Final[dict[type[Strategy], Place]] = {
    Fallback: Place.FALLBACK,
    Retry: Place.RETRY,
    Hedge: Place.HEDGE,
    CircuitBreaker: Place.BREAKER,
    RateLimiter: Place.RATE_LIMIT,
    Bulkhead: Place.BULKHEAD,
    Chaos: Place.CHAOS,
}


class Pipeline(Strategy):
    """Strategies around a call, sorted by `Place` whatever the order they are given in.

    A hedge is left out for calls that are not marked idempotent, and for plain functions.

    Args:
        strategies: Each kind at most once. A `Timeout` bounds each attempt; a strategy of
            another class stands innermost, those in the order given.
        timeout: Bounds the whole.
        name: Where it stands, such as `llm.default`.

    Raises:
        ConfigurationError: Two strategies would stand in one place.
    """

    def __init__(
        self, *strategies: Strategy, timeout: Timeout | None = None, name: str = ""
    ) -> None:
        self.name = name
        placed = [(_place_of(strategy), strategy) for strategy in strategies]
        if timeout is not None:
            placed.append((Place.TIMEOUT, timeout))
        placed.sort(key=lambda each: each[0])
        _refuse_doubles(placed, name)
        self.strategies = tuple(strategy for _, strategy in placed)
        steady = [one for one in self.strategies if not isinstance(one, Hedge)]
        self._whole = _linked(self.strategies)
        self._steady = _linked(steady) if len(steady) < len(self.strategies) else None
        self._run_sync = _chained(strategy.run_sync for strategy in steady)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name or 'unnamed'}: {self}>"

    def __str__(self) -> str:
        return " > ".join([*map(repr, self.strategies), "call"])

    async def run(self, call: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Await the call inside every strategy."""
        link = self._whole
        if self._steady is not None and not is_idempotent(call, *args):
            link = self._steady
        return await link(call, args, kwargs)  # type: ignore[no-any-return]  # the call's

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Make the call in this thread, inside every strategy but a hedge."""
        return self._run_sync(call, *args, **kwargs)  # type: ignore[no-any-return]  # the call's

    def measurements(self) -> Iterator[Measurement]:
        """What its strategies count."""
        for strategy in self.strategies:
            if isinstance(strategy, Measured):
                yield from strategy.measurements()


def _linked(strategies: Iterable[Strategy]) -> Link:
    """The call, in the last strategy, in the one before it, and so on to the first."""
    link: Link = called
    for strategy in reversed([*strategies]):
        link = strategy.around(link)
    return link


def _chained(runs: Iterable[Callable[..., Any]]) -> Callable[..., Any]:
    """The first, which calls the second, which is handed the third as its first argument..."""
    first, *rest = [*runs, _called]
    return partial(first, *rest[:-1])


def _called(call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return call(*args, **kwargs)


def _place_of(strategy: Strategy) -> Place:
    if isinstance(strategy, Timeout):
        return Place.ATTEMPT_TIMEOUT
    found = (place for kind, place in _PLACES.items() if isinstance(strategy, kind))
    return next(found, Place.INNERMOST)


def _refuse_doubles(placed: list[tuple[Place, Strategy]], name: str) -> None:
    taken: dict[Place, Strategy] = {}
    for place, strategy in placed:
        if place in taken and place is not Place.INNERMOST:
            raise ConfigurationError(
                f"{strategy!r} and {taken[place]!r} would stand in one place",
                where=name or "Pipeline",
                hint="Put one pipeline around another if both are meant.",
            )
        taken[place] = strategy
