"""A service that fails as told, and every way to put a retry around it."""

from collections.abc import Awaitable, Callable
from typing import Any

from infrastructure.errors import (
    UnavailableError,
)
from infrastructure.resilience.backoff import FixedDelayStrategy
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.retry import Retry

WAIT = FixedDelayStrategy(1.0)


class Service:
    """Gives its outcomes one by one, and the last one from then on; counts its calls."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = outcomes
        self.calls = 0

    def sync(self) -> object:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def __call__(self) -> object:
        return self.sync()


def down() -> UnavailableError:
    return UnavailableError("down", where="shop")


def new(attempts: int = 3, **options: Any) -> Retry:
    """A retry that waits a second on a clock that jumps."""
    options = {"backoff_strategy": WAIT, "clock": ManualClock(), **options}
    return Retry(attempts, **options)


Way = Callable[[Retry, Service], Awaitable[object]]


async def by_run(retry: Retry, service: Service) -> object:
    return await retry.run(service)


async def by_decorator(retry: Retry, service: Service) -> object:
    return await retry(service.__call__)()


async def by_loop(retry: Retry, service: Service) -> object:
    async for attempt in retry:
        with attempt:
            return await service()
    return None


async def by_sync_run(retry: Retry, service: Service) -> object:
    return retry.run_sync(service.sync)


async def by_sync_decorator(retry: Retry, service: Service) -> object:
    return retry(service.sync)()


async def by_sync_loop(retry: Retry, service: Service) -> object:
    for attempt in retry:
        with attempt:
            return service.sync()
    return None


WAYS = [by_run, by_decorator, by_loop, by_sync_run, by_sync_decorator, by_sync_loop]
