"""Faults on purpose, and only where they are meant."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import ConfigurationError, UnavailableError
from infrastructure.resilience.chaos import Chaos
from infrastructure.resilience.clock import ManualClock


def down() -> UnavailableError:
    return UnavailableError("chaos")


async def answer() -> str:
    return "answer"


async def fates(chaos: Chaos, calls: int) -> list[Any]:
    return [
        (await asyncio.gather(chaos.run(answer), return_exceptions=True))[0] for _ in range(calls)
    ]


@pytest.mark.parametrize("profiles", [(), ("prod",), ("dev", "eu")])
def test_it_refuses_to_exist_outside_of_tests(profiles: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"llm\.default\.chaos: chaos is for the profile"):
        Chaos(0.1, error=down, profiles=profiles, name="llm.default.chaos")


@pytest.mark.parametrize("allowed", [{"profiles": ("test", "eu")}, {"armed": True}], ids=str)
async def test_it_exists_in_tests_and_when_armed(allowed: dict[str, Any]) -> None:
    chaos = Chaos(1.0, error=down, **allowed)
    with pytest.raises(UnavailableError):
        await chaos.run(answer)


async def test_it_hits_the_share_it_was_given_and_the_same_calls_each_time() -> None:
    first, second = [
        [type(fate) for fate in await fates(Chaos(0.3, error=down, armed=True, seed=7), 1_000)]
        for _ in range(2)
    ]
    assert first == second
    assert 250 < first.count(UnavailableError) < 350


@pytest.mark.parametrize(("rate", "hits"), [(0.0, 0), (1.0, 50)])
async def test_rates_of_none_and_all_are_exact(rate: float, hits: int) -> None:
    found = await fates(Chaos(rate, result=None, armed=True), 50)
    assert found.count(None) == hits


async def test_latency_holds_a_call_up_and_then_makes_it() -> None:
    clock = ManualClock()
    chaos = Chaos(1.0, latency_seconds=2.5, armed=True, clock=clock)
    assert await chaos.run(answer) == "answer"
    assert chaos.run_sync(lambda: "answer") == "answer"
    assert clock.sleeps == [2.5, 2.5]


def test_threads_are_hit_too() -> None:
    with pytest.raises(UnavailableError):
        Chaos(1.0, error=down, armed=True).run_sync(lambda: "answer")
    assert Chaos(1.0, result="wrong", armed=True).call(lambda: "answer") == "wrong"


async def test_each_hit_raises_an_error_of_its_own() -> None:
    one, other = await fates(Chaos(1.0, error=down, armed=True), 2)
    assert one is not other


async def test_measurements_count_calls_and_hits() -> None:
    chaos = Chaos(1.0, result=1, armed=True)
    await fates(chaos, 3)
    assert [m.value for m in chaos.measurements()] == [3, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 1.5, "error": down}, "rate"),
        ({"rate": 0.5}, "no latency, error or result"),
        ({"rate": 0.5, "error": down, "result": 1}, "both an error and a result"),
        ({"rate": 0.5, "latency_seconds": -1}, "latency_seconds"),
    ],
)
def test_options_that_make_no_sense_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Chaos(**options, armed=True)
