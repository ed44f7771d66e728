"""Faults on purpose: late, failing or wrong calls, at a rate, where tests run."""

import random
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, Final, TypeVar

from infrastructure.errors import ConfigurationError
from infrastructure.observability.metrics import COMPONENT, Measurement, counter
from infrastructure.resilience.bounds import checked_number
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.strategy import Place, Strategy

T = TypeVar("T")

_METRIC = "switchgear.resilience.chaos"


class _Unset:
    def __repr__(self) -> str:
        return "the call's own"


#: The call's own result; None is one that can be injected.
UNSET: Final = _Unset()


class Chaos(Strategy):
    """Does to some calls what the world does: delays them, fails them, answers for them.

    Whether a call is hit is drawn once. One that is hit is first delayed; then it fails, or is
    answered for, or is made. For faults of different rates put one around another.

    Args:
        rate: The share of calls that are hit, 0 to 1.
        latency_seconds: How long one that is hit is held up before.
        error: Makes the error that is raised instead of making the call: an exception class
            or a callable without parameters.
        result: What is returned instead of making the call.
        profiles: The active profiles; without `test` among them this refuses to exist,
        armed: unless somebody says that it is meant.
        name: Where it stands, such as `llm.default.chaos`.
        seed: The same seed hits the same calls of a sequence; None hits others each time.
        clock: What a latency waits on.

    Raises:
        ConfigurationError: Neither a test nor armed; or a number is out of its range, nothing
            is injected, or both an error and a result are.
    """

    place = Place.CHAOS

    def __init__(
        self,
        rate: float,
        *,
        latency_seconds: float = 0.0,
        error: Callable[[], BaseException] | None = None,
        result: Any = UNSET,
        profiles: Collection[str] = (),
        armed: bool = False,
        name: str = "",
        seed: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        where = name or "chaos"
        self._rate = checked_number(rate, "rate", where, at_most=1)
        self._latency_seconds = checked_number(latency_seconds, "latency_seconds", where)
        self._error = error
        self._result = result
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - it chooses victims, no secrets
        self._calls = self._hits = 0
        self._refuse_outside_tests(profiles, armed=armed)
        self._refuse_contradictions()

    def __repr__(self) -> str:
        return f"<Chaos {self.name or 'unnamed'}: {self._rate:.0%} of calls>"

    async def run(self, call: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Await the call, unless it is hit by something else."""
        if not self._hit():
            return await call(*args, **kwargs)
        if self._latency_seconds:
            await self._clock.sleep(self._latency_seconds)
        if self._replaces():
            return self._replacement()  # type: ignore[no-any-return]  # a wrong type is one of the faults
        return await call(*args, **kwargs)

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Make the call, unless it is hit by something else."""
        if not self._hit():
            return call(*args, **kwargs)
        if self._latency_seconds:
            self._clock.sleep_sync(self._latency_seconds)
        if self._replaces():
            return self._replacement()  # type: ignore[no-any-return]  # as above
        return call(*args, **kwargs)

    def measurements(self) -> Iterator[Measurement]:
        """How many calls came by, and how many were hit."""
        labels = {COMPONENT: self.name}
        yield counter(f"{_METRIC}.calls", self._calls, labels, unit="{call}")
        yield counter(f"{_METRIC}.hits", self._hits, labels, unit="{call}")

    def _hit(self) -> bool:
        self._calls += 1
        is_hit = self._random.random() < self._rate
        self._hits += is_hit
        return is_hit

    def _replaces(self) -> bool:
        return self._error is not None or self._result is not UNSET

    def _replacement(self) -> Any:
        if self._error is not None:
            raise self._error()
        return self._result

    def _refuse_outside_tests(self, profiles: Collection[str], *, armed: bool) -> None:
        if armed or "test" in profiles:
            return
        active = ", ".join(profiles) or "none"
        raise ConfigurationError(
            f"chaos is for the profile 'test'; active: {active}",
            where=self.name,
            hint="Take it out of this profile, or say armed=True when it is meant.",
        )

    def _refuse_contradictions(self) -> None:
        problem = ""
        if self._error is not None and self._result is not UNSET:
            problem = "both an error and a result are to be injected"
        elif not self._latency_seconds and not self._replaces():
            problem = "no latency, error or result is to be injected"
        if problem:
            raise ConfigurationError(problem, where=self.name or "chaos")
