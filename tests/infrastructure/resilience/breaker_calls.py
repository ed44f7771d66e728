"""A remote service that works, fails or keeps waiting, and what is done to its breaker."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import (
    UnavailableError,
)
from infrastructure.resilience.breaker import (
    BreakerOptions,
    CircuitBreaker,
    CircuitState,
)
from infrastructure.resilience.clock import ManualClock

FIVE_IN_A_ROW: dict[str, Any] = {
    "window_calls": 5,
    "minimum_calls": 5,
    "failure_rate": 1.0,
    "open_seconds": 10.0,
    "jitter": 0.0,
}


class Service:
    """Something remote: it works, fails, or keeps its callers waiting."""

    def __init__(self) -> None:
        self.error: Exception | None = UnavailableError("down")
        self.reached = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> str:
        self.reached += 1
        await self.gate.wait()
        return self.answer()

    def answer(self) -> str:
        if self.error is not None:
            raise self.error
        return "answer"


def breaker_of(clock: ManualClock, **options: Any) -> CircuitBreaker:
    settings = BreakerOptions(**{**FIVE_IN_A_ROW, **options})
    return CircuitBreaker(settings, name="llm.default.breaker", clock=clock)


async def opened(breaker: CircuitBreaker, service: Service, calls: int = 5) -> None:
    """Fail until it opens."""
    for _ in range(calls):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    assert breaker.state is CircuitState.OPEN


async def at_once(breaker: CircuitBreaker, service: Service, callers: int) -> list[Any]:
    """So many callers in one turn of the loop, with the service answering after all have come."""
    service.gate.clear()
    tasks = [asyncio.create_task(breaker.run(service)) for _ in range(callers)]
    await turns()
    service.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def measured(breaker: CircuitBreaker, name: str, **labels: str) -> float:
    return sum(
        m.value
        for m in breaker.measurements()
        if m.name == f"switchgear.resilience.breaker.{name}" and labels.items() <= m.labels.items()
    )
