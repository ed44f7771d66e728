"""Policies of the settings, around what a container provides."""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from containers import Container
from containers.core import finding
from infrastructure.errors import (
    ConfigurationError,
    InfrastructureError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.pipeline import Pipeline
from infrastructure.servers.base import LocalServer
from tests.faults.openai_server import STALL, OpenAIServer, Reply, completion, refused
from tests.redis_address import address

FLAKY = {
    "resilience.policies.flaky.retry.max_attempts": 1,
    "resilience.policies.flaky.chaos.rate": 1,
    "resilience.policies.flaky.chaos.error": "on purpose",
}


def container(**overrides: Any) -> Any:
    return Container(profile="test", overrides={**FLAKY, **overrides})


def test_a_policy_is_asked_for_by_name() -> None:
    found = container().resilience.policy("flaky")
    assert isinstance(found, Pipeline)
    assert found.name == "flaky"


def test_the_shipped_policies_stand_for_every_part() -> None:
    shipped = Container(profile="test").resilience
    assert shipped.policy("llm.default").name == "llm.default"
    assert "Timeout" not in str(shipped.policy("llm.default"))
    assert "Retry" not in str(shipped.policy("vector.default"))
    assert "Timeout(10)" in str(shipped.policy("db.default"))


async def test_a_block_is_given_a_policy_in_the_settings() -> None:
    guarded = container(**{"cache.default.policy": "flaky"})
    with pytest.raises(UnavailableError, match="on purpose"):
        await guarded.cache.default().set("key", 1)


async def test_a_named_instance_is_given_one_too() -> None:
    guarded = container(**{"cache.instances.signup.policy": "flaky"})
    await guarded.cache.default().set("key", 1)
    with pytest.raises(UnavailableError, match="on purpose"):
        await guarded.cache.instances.signup().set("key", 1)


async def test_what_stands_around_a_provider_is_what_its_path_gives() -> None:
    guarded = container(**{"llm.default.policy": "flaky"})
    model = guarded.llm.default()
    assert model.policy is guarded.resilience.policy("llm.default")
    with pytest.raises(UnavailableError, match="on purpose"):
        await model.generate("hello")


async def test_a_block_without_one_has_none() -> None:
    assert container().llm.default().policy is None


def test_an_unknown_policy_is_said_with_its_place_when_the_settings_are_read() -> None:
    with pytest.raises(ConfigurationError) as caught:
        container(**{"llm.default.policy": "flakey"})
    assert "llm.default.policy (override): there is no policy" in str(caught.value)
    assert "Did you mean 'flaky'?" in str(caught.value)


async def test_another_profile_may_name_another_policy() -> None:
    switched = Container(profile="test", overrides=FLAKY)
    with switched.use_profile("test"):
        assert switched.llm.default().policy is None


def test_a_policy_can_be_overridden() -> None:
    replaced = container()
    mine = Pipeline(name="mine")
    with replaced.override({"resilience.policy": mine}):
        assert replaced.resilience.policy() is mine


PRODUCTION = {
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:1/app",
    "REDIS_HOST": "127.0.0.1",
    "QDRANT_URL": "http://127.0.0.1:1",
    "OPENAI_API_KEY": "sk-key",
    "OPENAI_MODEL": "gpt-test",
}


def production(**environ: str) -> Any:
    return Container(profile="prod", environ=PRODUCTION | environ)


def test_production_guards_its_language_model_and_its_vectors_and_no_statement_or_value() -> None:
    shipped = production()
    guarded = {"llm.default": "Retry", "vector.default": "CircuitBreaker"}
    for path, outermost in guarded.items():
        policy = finding.find(shipped, path)().policy
        assert type(policy.strategies[0]).__name__ == outermost
    for path in ("db.default", "cache.default", "embeddings.default"):
        made = finding.find(shipped, path)()
        assert getattr(made, "provider", made).policy is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused(429, None, retry_after_ms="1"), 3),
        (refused(503, None, retry_after_ms="1"), 3),
        (refused(400, "invalid_request_error"), 1),
        (refused(401, None), 1),
        (Reply([STALL]), 1),
        (completion(), 1),
    ],
    ids=["rate limited", "unavailable", "refused", "wrong key", "too late", "answered"],
)
async def test_production_pays_for_an_answer_once(reply: Reply, expected: int) -> None:
    async with OpenAIServer(reply) as server:
        fast = {
            "llm.default.timeout_seconds": 0.3,
            "resilience.policies.llm.retry.initial_delay_seconds": 0.001,
            "resilience.policies.llm.retry.max_delay_seconds": 0.001,
        }
        environ = PRODUCTION | {"OPENAI_BASE_URL": server.url}
        model = Container(profile="prod", environ=environ, overrides=fast).llm.default()
        with suppress(InfrastructureError):
            await model.generate("hello")
        await model.disconnect()
        assert len(server.requests) == expected


async def test_a_limit_in_one_redis_holds_for_two_containers(valkey: LocalServer) -> None:
    first, second = (shared(valkey) for _ in range(2))
    calls = [each.llm.default().generate("hello") for each in (first, second) for _ in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused_calls = [one for one in results if isinstance(one, OverloadedError)]
    assert len(refused_calls) == 5
    assert all(error.where == "llm.default.rate_limit" for error in refused_calls)
    assert all(error.retry_after_seconds for error in refused_calls)
    for each in (first, second):
        await each.db.instances.redis().disconnect()


def shared(valkey: LocalServer) -> Any:
    redis = {f"db.instances.redis.{key}": each for key, each in address(valkey.url).items()}
    return Container(
        profile="test",
        overrides={
            "app.name": NAME,
            "db.instances.redis.kind": "redis",
            **redis,
            "resilience.policies.fair.rate_limit.rate": 5,
            "resilience.policies.fair.rate_limit.per_seconds": 3600,
            "resilience.policies.fair.rate_limit.connection": "db.instances.redis",
            "resilience.policies.fair.rate_limit.on_storage_error": "fail_closed",
            "llm.default.policy": "fair",
        },
    )


#: No other run has this limit.
NAME = f"limits-{uuid4().hex}"
