"""What is given in place of errors."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import (
    ConfigurationError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.resilience.fallback import Fallback
from infrastructure.resilience.retry import Retry
from infrastructure.resilience.timeout import Timeout


async def down(*_: Any, **__: Any) -> Any:
    raise UnavailableError("down")


def down_sync(*_: Any, **__: Any) -> Any:
    raise UnavailableError("down")


async def test_success_is_given_as_it_is() -> None:
    async def answer() -> str:
        return "real"

    fallback = Fallback(value="stale")
    assert await fallback.run(answer) == "real"
    assert (fallback.calls, fallback.used) == (1, 0)


async def test_value_stands_in_for_a_temporary_error_and_is_counted() -> None:
    fallback = Fallback(value="stale")
    assert await fallback.run(down) == "stale"
    assert fallback.run_sync(down_sync) == "stale"
    assert (fallback.calls, fallback.used) == (2, 2)


async def test_none_is_a_value() -> None:
    assert await Fallback(value=None).run(down) is None


async def test_function_gets_the_error_and_the_arguments_of_the_call() -> None:
    def instead(error: Exception, prompt: str, *, limit: int) -> tuple[str, str, int]:
        return type(error).__name__, prompt, limit

    given = await Fallback(function=instead).run(down, "hello", limit=3)
    assert given == ("UnavailableError", "hello", 3)


async def test_function_gets_the_arguments_of_the_call_itself_in_a_row_of_strategies() -> None:
    fallback = Fallback(function=lambda _error, prompt: f"no {prompt}")
    assert await fallback.run(Retry(1).run, Timeout(5).run, down, "hello") == "no hello"
    assert fallback.run_sync(Retry(1).run_sync, down_sync, "hello") == "no hello"


async def test_function_may_be_a_coroutine_function() -> None:
    async def instead(error: Exception) -> str:
        await asyncio.sleep(0)
        return f"instead of {error}"

    assert await Fallback(function=instead).run(down) == "instead of down"


def test_coroutine_function_cannot_stand_in_for_a_plain_one() -> None:
    with pytest.raises(ConfigurationError, match="cannot stand in for a plain one"):
        Fallback(function=down).run_sync(down_sync)


async def test_failing_function_is_counted_and_shows_both_errors() -> None:
    async def fail(_error: Exception) -> None:
        raise OverloadedError("fallback is full")

    fallback = Fallback(function=fail)
    with pytest.raises(OverloadedError) as caught:
        await fallback.run(down)
    assert isinstance(caught.value.__context__, UnavailableError)
    assert fallback.failed == 1


@pytest.mark.parametrize("error", [RejectedError("no"), ValueError("a bug")])
async def test_errors_that_do_not_go_away_are_not_covered_up(error: Exception) -> None:
    async def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        await Fallback(value="stale").run(fail)


async def test_errors_to_replace_can_be_named() -> None:
    async def fail() -> int:
        raise KeyError("x")

    assert await Fallback(value=0, on=[KeyError]).run(fail) == 0


async def test_cancellation_is_never_replaced() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Fallback(value=0, on=[Exception]).run(cancelled)


@pytest.mark.parametrize("settings", [{}, {"value": 1, "function": print}])
def test_fallback_has_a_value_or_a_function(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="either value= or function="):
        Fallback(**settings)


async def test_fallback_decorates_both_kinds_of_functions() -> None:
    fallback = Fallback(value="stale")
    assert await fallback(down)() == "stale"
    assert fallback(down_sync)() == "stale"


def test_what_was_counted_is_told() -> None:
    fallback = Fallback(value=1, name="llm.default.fallback")
    fallback.run_sync(down_sync)
    told = {each.name: each.value for each in fallback.measurements()}
    assert told == {
        "switchgear.resilience.fallback.calls": 1,
        "switchgear.resilience.fallback.used": 1,
        "switchgear.resilience.fallback.failed": 0,
    }
