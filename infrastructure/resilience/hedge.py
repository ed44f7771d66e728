"""A second call beside one that takes long; whichever answers first is taken."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, NoReturn, TypeVar

from infrastructure.errors import ConfigurationError
from infrastructure.observability.metrics import COMPONENT, Measurement, counter
from infrastructure.resilience.bounds import checked_count, checked_number
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.idempotence import is_idempotent
from infrastructure.resilience.race import Latencies, Race
from infrastructure.resilience.strategy import F, Link, LinkedStrategy, Place, is_async

T = TypeVar("T")


class Hedge(LinkedStrategy):
    """Makes a call once more when it takes long, and takes the first success.

    Those that lose are cancelled, and have ended when the result is given. A call that fails
    before another was made fails: that is for a retry. When all that were made fail, the first
    error is raised with notes of the others. Only for coroutine functions marked `@idempotent`.

    Args:
        delay: Seconds before each further call; or `"p95"`, the time within which 95 % of the
            last calls have answered, of which nothing is known at first, so none is doubled.
        max_hedges: How many further calls there may be.
        budget: Pays for further calls.
        name: Where it stands.
        clock: What is time.

    Attributes:
        calls: How many were asked for.
        hedges: How many were made besides.
        won: How many of these answered first.

    Raises:
        ConfigurationError: An argument makes no sense, or a call is not marked idempotent.
    """

    place = Place.HEDGE

    def __init__(
        self,
        delay: float | str,
        max_hedges: int = 1,
        *,
        budget: RetryBudget | None = None,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        where = name or "Hedge"
        self.max_hedges = checked_count(max_hedges, "max_hedges", where)
        self.name = name
        self.budget = budget
        self.calls = 0
        self.hedges = 0
        self.won = 0
        self._clock = clock
        self._latencies = None
        if isinstance(delay, str):
            self._latencies = Latencies(_quantile(delay, where))
            self.delay: float | str = delay
        else:
            self.delay = checked_number(delay, "delay", where)

    def __repr__(self) -> str:
        return f"Hedge({self.delay!r}, {self.max_hedges})"

    def __call__(self, function: F) -> F:
        """The function, with every call of it hedged."""
        if not is_async(function):
            self._refuse_sync(function)
        self._demand_mark(function)
        return super().__call__(function)

    def around(self, inner: Link) -> Link:
        """Await the first success of the link and of its repetitions when it takes long."""

        async def hedged(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            self._demand_mark(call, *args)
            return await self._won(Race(partial(inner, call, args, kwargs), self._clock))

        return hedged

    def run_sync(self, call: Callable[..., T], /, *_args: Any, **_kwargs: Any) -> T:
        """Refuse: a thread that waits for one function cannot run another."""
        self._refuse_sync(call)

    def measurements(self) -> Iterator[Measurement]:
        """Calls, those made besides, and those of them that answered first."""
        labels = {COMPONENT: self.name}
        yield counter("switchgear.resilience.hedge.calls", self.calls, labels, unit="{call}")
        yield counter("switchgear.resilience.hedge.hedges", self.hedges, labels, unit="{call}")
        yield counter("switchgear.resilience.hedge.won", self.won, labels, unit="{call}")

    async def _won(self, race: "Race[T]") -> T:
        """What the first to succeed gives."""
        self.calls += 1
        if self.budget is not None:
            self.budget.calls += 1
        began = self._clock.now()
        try:
            winner = await self._raced(race)
        finally:
            await race.stop()
        if winner is None:
            raise race.failure(self.name or "hedge")
        if self._latencies is not None:
            self._latencies.add(self._clock.now() - began)
        self.won += winner is not race.runners[0]
        return winner.result()

    async def _raced(self, race: "Race[T]") -> "asyncio.Task[T] | None":
        """The first to succeed, or None when all have failed."""
        race.start()
        for _ in range(self.max_hedges):
            delay = self._seconds()
            if delay is None or await race.ends_within(delay):
                break
            if self.budget is not None and not self.budget.spend():
                break
            self.hedges += 1
            race.start()
        return await race.end

    def _seconds(self) -> float | None:
        """How long to wait for an answer; None as long as nobody can say."""
        if self._latencies is None:
            return float(self.delay)
        return self._latencies()

    def _demand_mark(self, call: Callable[..., Any], *args: Any) -> None:
        if not is_idempotent(call, *args):
            raise ConfigurationError(
                f"{_named(call)} is not marked idempotent, so it is not called twice",
                where=self.name or "Hedge",
                hint="Put @idempotent on it if a second call does no harm, or take the hedge off.",
            )

    def _refuse_sync(self, function: Callable[..., Any]) -> NoReturn:
        raise ConfigurationError(
            f"{_named(function)} is no coroutine function, and only those can be hedged",
            where=self.name or "Hedge",
        )


def _named(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def _quantile(word: str, where: str) -> float:
    """What `p95` says: 0.95."""
    digits = word.removeprefix("p")
    if word.startswith("p") and digits.isdecimal() and 0 < float(f"0.{digits}") < 1:
        return float(f"0.{digits}")
    hint = "It is seconds, or a word such as 'p95'."
    raise ConfigurationError(f"delay {word!r} is not understood", where=where, hint=hint)
