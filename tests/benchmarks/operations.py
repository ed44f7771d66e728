"""What a door in front of an operation costs: nobody listens, a policy, OpenTelemetry.

    python tests/benchmarks/operations.py

Nanoseconds a call, the least of nine rounds that take turns.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from infrastructure.component import Component
from infrastructure.observability import telemetry
from infrastructure.resilience.strategy import Strategy

CALLS, ROUNDS = 20_000, 9


class Bare(Component):
    """A component without operations, so without doors."""

    async def get(self, key: str) -> str:
        return key

    async def _open(self) -> None: ...

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return ""


class Watched(Bare):
    """The same with a door."""

    operations = frozenset({"get"})


class Nothing(Strategy):
    """Runs the call."""

    async def run(self, call: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    def run_sync(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)


async def _round(component: Any) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        await component.get("key")
    return (time.perf_counter() - started) / CALLS * 1e9


async def _listened(component: Any, enable: Callable[[], None]) -> float:
    enable()
    try:
        return await _round(component)
    finally:
        telemetry.disable()


def _sdk() -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    telemetry.enable(
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider(shutdown_on_exit=False),
    )


async def main() -> None:
    settings = SimpleNamespace(kind="redis", connect_timeout_seconds=1)
    bare, watched, guarded = Bare(settings), Watched(settings), Watched(settings)
    guarded.policy = Nothing()
    rows: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        rows.setdefault("no door", []).append(await _round(bare))
        rows.setdefault("a door, nobody listens", []).append(await _round(watched))
        rows.setdefault("a policy that does nothing", []).append(await _round(guarded))
        api = await _listened(watched, telemetry.enable)
        rows.setdefault("OpenTelemetry API without SDK", []).append(api)
        rows.setdefault("OpenTelemetry SDK, no exporter", []).append(await _listened(watched, _sdk))
    for name, seconds in rows.items():
        print(f"{name:32} {min(seconds):8.0f} ns")


if __name__ == "__main__":
    asyncio.run(main())
