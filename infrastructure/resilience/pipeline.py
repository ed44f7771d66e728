"""Several strategies around one call, in the one order that makes sense."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from infrastructure.errors import ConfigurationError
from infrastructure.observability.metrics import Measured, Measurement
from infrastructure.resilience.hedge import Hedge
from infrastructure.resilience.idempotence import is_idempotent
from infrastructure.resilience.strategy import Link, Place, Strategy, called
from infrastructure.resilience.timeout import Timeout

T = TypeVar("T")


class Pipeline(Strategy):
    """Strategies around a call, sorted by `Place` whatever the order they are given in.

    A hedge is left out for calls that are not marked idempotent, and for plain functions.

    Args:
        strategies: At most one for each place, and any number innermost, in the order given. A
            `Timeout` bounds each attempt.
        timeout: Bounds the whole.
        name: Where it stands, such as `llm.default`.

    Raises:
        ConfigurationError: Two strategies would stand in one place.
    """

    def __init__(
        self, *strategies: Strategy, timeout: Timeout | None = None, name: str = ""
    ) -> None:
        self.name = name
        placed = [(strategy.place, strategy) for strategy in strategies]
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
