"""What a strategy costs a call that succeeds at once: `python tests/benchmarks/resilience.py`.

Process CPU time of one awaited call, the rows taking turns within each round; medians, and the
ratio within a round to a plain await of the same coroutine function. Rows in brackets are no
strategies of ours: loops by hand, the standard library, and peers where they are installed.
"""

import argparse
import asyncio
import gc
import importlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infrastructure.resilience.breaker import CircuitBreaker
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.fallback import Fallback
from infrastructure.resilience.pipeline import Pipeline
from infrastructure.resilience.rate_limiter import RateLimiter
from infrastructure.resilience.retry import Retry
from infrastructure.resilience.strategy import Strategy
from infrastructure.resilience.timeout import Timeout

CALLS_A_TURN = 2_000
ENOUGH = 1e9

Call = Callable[[int], Awaitable[int]]


async def work(number: int) -> int:
    """What is called."""
    return number


def retry_by_hand(call: Call) -> Call:
    """The least a retry can be."""

    async def retried(number: int) -> int:
        failures = 0
        while True:
            try:
                return await call(number)
            except OSError:
                failures += 1
                if failures >= 3:
                    raise
                await asyncio.sleep(0.01)

    return retried


def timeout_by_asyncio(call: Call) -> Call:
    """The standard library's."""

    async def bounded(number: int) -> int:
        async with asyncio.timeout(5):
            return await call(number)

    return bounded


def run_by(strategy: Strategy) -> Call:
    """A call handed to `run`, as a provider does it."""
    return lambda number: strategy.run(work, number)


def inner() -> tuple[Strategy, ...]:
    """What a policy has besides timeouts."""
    limits = CircuitBreaker(), RateLimiter(ENOUGH), Bulkhead(100)
    return Fallback(value=0), Retry(budget=RetryBudget()), *limits


def stamina(package: Any) -> Call:
    """Without its hooks, which would log."""
    package.instrumentation.set_on_retry_hooks([])
    return package.retry(on=OSError, attempts=3)(work)  # type: ignore[no-any-return]  # theirs


def pybreaker(package: Any) -> Call:
    """As a body: its decorator does not see what an awaited call raises."""
    breaker = package.CircuitBreaker(fail_max=5)

    async def watched(number: int) -> int:
        with breaker.calling():
            return await work(number)

    return watched


def aiolimiter(package: Any) -> Call:
    """As a body, which is all there is."""
    limiter = package.AsyncLimiter(ENOUGH, 1)

    async def limited(number: int) -> int:
        async with limiter:
            return await work(number)

    return limited


def pyrate_limiter(package: Any) -> Call:
    """Its bucket in memory, asked without waiting."""
    limiter = package.Limiter(package.Rate(int(ENOUGH), package.Duration.SECOND))

    async def limited(number: int) -> int:
        await limiter.try_acquire_async("work", blocking=False)
        return await work(number)

    return limited


#: What others do for retries, breakers and limits, by the package it is imported from.
PEERS: dict[str, tuple[str, Callable[[Any], Call]]] = {
    "[tenacity]": (
        "tenacity",
        lambda it: it.retry(
            stop=it.stop_after_attempt(3), retry=it.retry_if_exception_type(OSError)
        )(work),
    ),
    "[stamina]": ("stamina", stamina),
    "[backoff]": ("backoff", lambda it: it.on_exception(it.expo, OSError, max_tries=3)(work)),
    "[hyx retry]": ("hyx.retry", lambda it: it.retry(on=OSError, attempts=3)(work)),
    "[circuitbreaker]": ("circuitbreaker", lambda it: it.circuit(failure_threshold=5)(work)),
    "[aiobreaker]": ("aiobreaker", lambda it: it.CircuitBreaker(fail_max=5)(work)),
    "[purgatory]": ("purgatory", lambda it: it.AsyncCircuitBreakerFactory()("work")(work)),
    "[pybreaker]": ("pybreaker", pybreaker),
    "[aiolimiter]": ("aiolimiter", aiolimiter),
    "[pyrate-limiter]": ("pyrate_limiter", pyrate_limiter),
}


def rows() -> tuple[dict[str, Call], dict[str, float]]:
    """What is measured, by name; and the most that is promised."""
    timed = Pipeline(*inner(), Timeout(5), timeout=Timeout(30))
    calls = {
        "plain await": work,
        "[retry by hand]": retry_by_hand(work),
        "retry": Retry()(work),
        "retry, by run": run_by(Retry()),
        "retry with budget": Retry(budget=RetryBudget())(work),
        "fallback": Fallback(value=0)(work),
        "breaker": CircuitBreaker()(work),
        "bulkhead": Bulkhead(100)(work),
        "rate limiter": RateLimiter(ENOUGH)(work),
        "timeout": Timeout(5)(work),
        "[asyncio.timeout]": timeout_by_asyncio(work),
        "pipeline": run_by(Pipeline(*inner())),
        "pipeline, timeouts": run_by(timed),
    }
    for name, (package, make) in PEERS.items():
        try:
            calls[name] = make(importlib.import_module(package))
        except ImportError as error:
            print(f"{name} left out: {error}")
    limits: dict[str, float] = {"retry": 4, "breaker": 6, "bulkhead": 10, "pipeline": 20}
    limits["pipeline, timeouts"] = 60
    return calls, limits


async def turn(call: Call, times: int = CALLS_A_TURN) -> float:
    """Nanoseconds a call."""
    started = time.process_time()
    for number in range(times):
        await call(number)
    return (time.process_time() - started) / times * 1e9


async def main(rounds: int) -> None:
    """Measure and print."""
    calls, limits = rows()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        await turn(call, 100)
    gc.disable()
    for number in range(rounds):
        names = list(calls)
        for name in names if number % 2 else reversed(names):
            taken[name].append(await turn(calls[name]))
        await asyncio.sleep(0)
        gc.collect()
    for name, mine in taken.items():
        ratios = [a / b for a, b in zip(mine, taken["plain await"], strict=True)]
        ratio, most = statistics.median(ratios), limits.get(name)
        verdict = "" if most is None else f"  limit {most:g}x {'ok' if ratio <= most else 'OVER'}"
        print(f"{name:20} {statistics.median(mine):8.0f} ns {ratio:8.2f}x{verdict}")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--rounds", type=int, default=15)
    asyncio.run(main(asked.parse_args().rounds))
