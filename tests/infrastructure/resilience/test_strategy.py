"""What is taken for a coroutine function, and what is refused."""

import asyncio
from collections.abc import Callable
from functools import partial, wraps
from typing import Any
from unittest.mock import Mock

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.resilience.breaker import BreakerOptions, CircuitBreaker
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.rate_limiter import RateLimiter
from infrastructure.resilience.retry import Retry
from infrastructure.resilience.strategy import Gate, is_async


def plain() -> str:
    return "plain"


async def coroutine() -> str:
    return "coroutine"


class Service:
    async def __call__(self) -> str:
        return "called"


def threaded(function: Callable[[], str]) -> Callable[[], Any]:
    @wraps(function)
    async def run() -> str:
        return await asyncio.to_thread(function)

    return run


def logged(function: Callable[[], Any]) -> Callable[[], Any]:
    @wraps(function)
    def run() -> Any:
        return function()

    return run


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plain, False),
        (coroutine, True),
        (partial(plain), False),
        (partial(partial(coroutine)), True),
        (Service(), True),
        (Service().__call__, True),
        (logged(plain), False),
        (logged(coroutine), True),
        (threaded(plain), True),
        (partial(threaded(plain)), True),
        (logged(partial(coroutine)), True),
    ],
)
def test_what_is_called_decides(function: Callable[[], Any], expected: bool) -> None:
    assert is_async(function) is expected


def test_object_with_any_attribute_is_a_plain_function_and_looked_at_once() -> None:
    assert not is_async(Mock())


async def test_coroutine_function_around_a_plain_one_is_retried() -> None:
    calls: list[int] = []

    @Retry(3, clock=ManualClock())
    @threaded
    def fetch() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise UnavailableError("down")
        return "fetched"

    assert await fetch() == "fetched"


def gates() -> list[Gate]:
    return [Bulkhead(1), RateLimiter(100), CircuitBreaker(BreakerOptions())]


@pytest.mark.parametrize("gate", gates(), ids=lambda gate: type(gate).__name__)
async def test_every_gate_goes_around_bodies_and_calls_alike(gate: Gate) -> None:
    async with gate as entered:
        assert entered is gate
    with gate as entered:
        assert entered is gate
    assert gate.run_sync(plain) == "plain"
    assert await gate.run(coroutine) == "coroutine"
    with pytest.raises(UnavailableError):
        async with gate:
            raise UnavailableError("down")
