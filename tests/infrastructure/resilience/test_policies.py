"""Policies of the settings become pipelines."""

import asyncio
import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from infrastructure.cache.implementations.breaker_settings import CacheBreakerSettings
from infrastructure.config.models.resilience import HEDGED_PARTS, ResilienceSettings
from infrastructure.config.models.strategies import BreakerSettings
from infrastructure.embeddings.hashing import HashingEmbedder, HashingSettings
from infrastructure.errors import (
    ConfigurationError,
    DeadlineExceededError,
    OverloadedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.registry import PARTS, registry_of
from infrastructure.resilience.breaker import BreakerOptions, CircuitBreakerOpenError
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.hedge import Hedge
from infrastructure.resilience.idempotence import is_idempotent
from infrastructure.resilience.policies import Policies


def settings(**policies: Any) -> ResilienceSettings:
    return ResilienceSettings.model_validate({"policies": policies})


def kinds(policies: Policies, name: str) -> list[str]:
    return [type(one).__name__ for one in policies.policy(name).strategies]


def test_each_block_of_a_policy_is_a_strategy() -> None:
    everything = settings(
        all={
            "timeout_seconds": 9,
            "attempt_timeout_seconds": 3,
            "fallback": {"value": []},
            "retry": {},
            "hedge": {},
            "breaker": {},
            "rate_limit": {},
            "bulkhead": {},
            "chaos": {"error": "on purpose"},
        }
    )
    assert kinds(Policies(everything, profiles=["test"]), "all") == [
        "Fallback",
        "Timeout",
        "Retry",
        "Hedge",
        "CircuitBreaker",
        "RateLimiter",
        "Bulkhead",
        "Timeout",
        "Chaos",
    ]


def test_what_a_policy_does_not_say_is_inherited_number_by_number() -> None:
    given = settings(
        base={"timeout_seconds": 9, "retry": {"max_attempts": 5, "jitter": 0}},
        child={"inherits": "base", "retry": {"max_attempts": 2}},
        grandchild={"inherits": "child", "timeout_seconds": 4},
    )
    found = given.policy("grandchild")
    assert (found.timeout_seconds, found.retry) == (4, given.policy("child").retry)
    assert found.retry
    assert (found.retry.max_attempts, found.retry.jitter) == (2, 0)


def test_an_inherited_strategy_can_be_switched_off() -> None:
    given = settings(
        base={"retry": {}, "bulkhead": {}},
        child={"inherits": "base", "retry": {"enabled": False}},
    )
    assert kinds(Policies(given), "child") == ["Bulkhead"]


@pytest.mark.parametrize(
    ("policies", "says"),
    [
        ({"a": {"inherits": "a"}}, "'a' inherits itself: a -> a"),
        ({"a": {"inherits": "b"}, "b": {"inherits": "a"}}, "a -> b -> a"),
        ({"patient": {}, "b": {"inherits": "patent"}}, "Did you mean 'patient'"),
        ({"a": {"timeout_seconds": 1, "attempt_timeout_seconds": 2}}, "must not be above"),
        ({"a": {"rate_limit": {"rate": 0}}}, "greater than 0"),
        ({"a": {"retry": {"max_attempts": 0}}}, "greater than or equal to 1"),
        ({"a": {"breaker": {"minimum_calls": 101}}}, "would never open"),
        ({"a": {"bulkhead": {"max_concurrent": 0}}}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_said_when_the_settings_are_read(
    policies: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**policies)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        settings(a={"inherits": "x"}, b={"inherits": "y"})
    assert "policies.a.inherits\n  Value error, no policy 'x'" in str(caught.value)
    assert "policies.b.inherits\n  Value error, no policy 'y'" in str(caught.value)


def test_a_name_gives_the_same_pipeline_every_time() -> None:
    policies = Policies(settings(one={"breaker": {}}))
    assert policies.policy("one") is policies.policy("one")


def test_two_providers_with_one_policy_have_a_breaker_each() -> None:
    policies = Policies(settings(llm={"breaker": {}}))
    first, second = policies.policy("llm.default"), policies.policy("llm.instances.small")
    assert first.strategies[0] is not second.strategies[0]


def test_a_path_means_what_its_block_names_then_its_part_then_the_default() -> None:
    given = settings(default={"retry": {}}, llm={"bulkhead": {}}, patient={"timeout_seconds": 99})
    policies = Policies(given, named={"llm.default": "patient"})
    assert kinds(policies, "llm.default") == ["Timeout"]
    assert kinds(policies, "llm.instances.small") == ["Bulkhead"]
    assert kinds(policies, "db.default") == ["Retry"]


def test_an_unknown_policy_is_an_error_that_lists_the_known() -> None:
    policies = Policies(settings(default={}, patient={}))
    with pytest.raises(ConfigurationError, match=r"Did you mean 'patient'\? Known: default, pat"):
        policies.policy("patent")


def test_a_block_that_names_an_unknown_policy_does_not_get_another() -> None:
    policies = Policies(settings(default={}), named={"llm.default": "patient"})
    with pytest.raises(ConfigurationError, match="no policy 'patient'"):
        policies.policy("llm.default")


def test_chaos_is_refused_outside_of_tests_unless_armed() -> None:
    given = settings(
        loose={"chaos": {"error": "on purpose"}},
        armed={"inherits": "loose", "chaos": {"armed": True}},
    )
    policies = Policies(given, profiles=["prod"])
    with pytest.raises(ConfigurationError):
        policies.policy("loose")
    assert kinds(policies, "armed") == ["Chaos"]


async def test_an_open_circuit_ends_the_retries_at_once() -> None:
    clock = ManualClock()
    given = settings(one={"retry": {}, "breaker": {"window_calls": 2, "minimum_calls": 2}})
    pipeline = Policies(given, clock=clock).policy("one")
    calls = 0

    async def fail() -> None:
        nonlocal calls
        calls += 1
        raise UnavailableError("gone")

    with pytest.raises(CircuitBreakerOpenError):
        await pipeline.run(fail)
    with pytest.raises(CircuitBreakerOpenError):
        await pipeline.run(fail)
    assert calls == 2
    assert sum(clock.sleeps) < 1


def test_plain_functions_go_through_what_the_settings_say() -> None:
    given = settings(
        one={"retry": {"jitter": 0}, "breaker": {}, "rate_limit": {}, "fallback": {"value": 7}}
    )
    clock = ManualClock()
    pipeline = Policies(given, clock=clock).policy("one")
    assert pipeline.run_sync(divmod, 7, 2) == (3, 1)
    assert pipeline.run_sync(_fail) == 7
    assert clock.sleeps == [0.1, 0.2]


def _fail() -> Any:
    raise UnavailableError("gone")


def test_who_changes_a_fallback_changes_nothing_for_the_next() -> None:
    pipeline = Policies(settings(one={"fallback": {"value": {"items": []}}})).policy("one")
    found = pipeline.run_sync(_fail)
    found["items"].append(1)
    assert pipeline.run_sync(_fail) == {"items": []}
    assert "Fallback(function=copies of {'items': []})" in str(pipeline)


async def test_the_numbers_of_the_settings_reach_the_strategies() -> None:
    given = settings(
        one={
            "retry": {
                "max_attempts": 3,
                "initial_delay_seconds": 1,
                "multiplier": 3,
                "jitter": 0,
            },
            "chaos": {"rate": 1, "error": "on purpose"},
        }
    )
    clock = ManualClock()
    pipeline = Policies(given, profiles=["test"], clock=clock).policy("one")

    async def ask() -> int:
        return 1

    with pytest.raises(UnavailableError, match="on purpose"):
        await pipeline.run(ask)
    assert clock.sleeps == [1, 3]


async def test_every_pipeline_built_so_far_is_measured() -> None:
    policies = Policies(settings(one={"retry": {}}, two={"retry": {}}))
    policies.policy("one")
    labels = {tuple(one.labels.items()) for one in policies.measurements()}
    assert any("one.retry" in str(each) for each in labels)
    assert not any("two" in str(each) for each in labels)


def test_the_breaker_of_the_settings_is_that_of_the_code() -> None:
    options = {one.name: one.default for one in dataclasses.fields(BreakerOptions)}
    by_rule = {"record_on", "ignore_on"}
    assert BreakerSettings().numbers() == {
        name: value for name, value in options.items() if name not in by_rule
    }
    assert BreakerSettings().numbers().keys() == CacheBreakerSettings().numbers().keys()


SHARED = {"rate": 5, "per_seconds": 60, "connection": "db.instances.redis"}


class Silent:
    """A Redis that is gone."""

    asked = 0

    async def execute(self, *_command: Any) -> Any:
        self.asked += 1
        raise UnavailableError("gone")


async def test_a_shared_limit_asks_its_connection_and_finds_it_late() -> None:
    found: list[str] = []
    silent = Silent()

    def provider_at(path: str) -> Any:
        found.append(path)
        return lambda: silent

    policies = Policies(
        settings(one={"rate_limit": {**SHARED, "on_storage_error": "fail_closed"}}),
        connections=provider_at,
    )
    pipeline = policies.policy("one")
    assert found == []
    for _ in range(2):
        with pytest.raises(OverloadedError, match="storage does not answer"):
            await pipeline.run(asyncio.sleep, 0)
    assert (found, silent.asked) == (["db.instances.redis"], 2)


async def test_a_shared_limit_that_fails_open_lets_the_rate_pass() -> None:
    given = settings(one={"rate_limit": SHARED})
    pipeline = Policies(given, connections=lambda _: Silent).policy("one")
    results = [
        await asyncio.gather(pipeline.run(asyncio.sleep, 0), return_exceptions=True)
        for _ in range(6)
    ]
    assert [isinstance(one, OverloadedError) for (one,) in results] == [False] * 5 + [True]


def test_a_shared_limit_stands_where_a_limit_stands() -> None:
    given = settings(
        one={
            "retry": {},
            "breaker": {},
            "rate_limit": SHARED,
            "bulkhead": {},
            "attempt_timeout_seconds": 1,
        }
    )
    pipeline = Policies(given, connections=lambda _: Silent, namespace="shop").policy("one")
    assert [type(one).__name__ for one in pipeline.strategies] == [
        "Retry",
        "CircuitBreaker",
        "DistributedRateLimiter",
        "Bulkhead",
        "Timeout",
    ]


def test_a_shared_limit_guards_no_plain_function() -> None:
    given = settings(one={"rate_limit": SHARED})
    pipeline = Policies(given, connections=lambda _: Silent).policy("one")
    with pytest.raises(UnsupportedError, match="coroutine functions only"):
        pipeline.run_sync(divmod, 7, 2)


def test_a_shared_limit_without_a_container_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"db\.instances\.redis is known to the root"):
        Policies(settings(one={"rate_limit": SHARED})).policy("one")


async def test_what_its_own_timeout_cuts_is_not_made_twice_unless_the_policy_says_so() -> None:
    cautious = {"attempt_timeout_seconds": 1, "retry": {"initial_delay_seconds": 0}}
    bold = {"inherits": "cautious", "retry": {"retries_timeouts": True}}
    clock = ManualClock()
    policies = Policies(settings(cautious=cautious, bold=bold), clock=clock)
    made: list[str] = []

    async def increment(name: str) -> None:
        made.append(name)  # it has been done, and the answer never comes
        asyncio.get_running_loop().call_soon(clock.advance, 1)
        await asyncio.Event().wait()

    for name in ("cautious", "bold"):
        with pytest.raises(DeadlineExceededError):
            await policies.policy(name).run(increment, name)
    assert made == ["cautious", "bold", "bold", "bold"]


def test_a_hedge_around_a_block_whose_calls_may_not_be_made_twice_is_refused() -> None:
    given = settings(quick={"hedge": {}}, calm={"inherits": "quick", "hedge": {"enabled": False}})
    policies = Policies(given, named={"llm.default": "quick", "db.default": "calm"})
    with pytest.raises(ConfigurationError, match=r"llm\.default: its policy 'quick' has a hedge"):
        policies.policy("llm.default")
    assert kinds(policies, "db.default") == []
    assert kinds(policies, "quick") == ["Hedge"]  # for functions of the caller's own


async def test_a_policy_hedges_the_operations_that_their_port_marks() -> None:
    given = settings(quick={"hedge": {}})
    policy = Policies(given, named={"embeddings.default": "quick"}).policy("embeddings.default")
    embedder = HashingEmbedder(HashingSettings(kind="hashing"))
    embedder.policy = policy
    hedge = next(one for one in policy.strategies if isinstance(one, Hedge))
    await embedder.embed_query("moon")
    assert hedge.calls == 1


def test_parts_that_can_be_hedged_are_those_whose_ports_mark_operations() -> None:
    ports: dict[str, Any] = {part: registry_of(part).port for part in PARTS}
    operations = {
        part: [getattr(port, name) for name in port.operations if hasattr(port, name)]
        for part, port in ports.items()
    }
    assert {
        part for part, ours in operations.items() if any(map(is_idempotent, ours))
    } == HEDGED_PARTS
