"""What is asked without a container comes from the default one."""

import importlib

import pytest

from infrastructure.cache import CacheFactory, CacheService, CacheType
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.errors import UnknownKindError
from tests.infrastructure.cache.conftest import Configure

MEMORY = MemoryCacheSettings(ttl_seconds=1)
SIGNUP = RedisCacheSettings(ttl_seconds=2)
OTHER = RedisCacheSettings(ttl_seconds=3)


def test_a_service_without_a_provider_uses_the_default_cache(configured: Configure) -> None:
    found = configured(MEMORY, signup=SIGNUP)
    assert CacheService("x").provider is found["cache.default"].provider


def test_it_follows_another_default_container(configured: Configure) -> None:
    service = CacheService("x")
    configured(MEMORY)
    first = service.provider
    found = configured(MEMORY)
    assert service.provider is found["cache.default"].provider is not first


def test_a_kind_takes_the_default_cache_if_it_has_it(configured: Configure) -> None:
    found = configured(MEMORY, other=MEMORY)
    service = CacheService("x", cache_type=CacheType.IN_MEMORY)
    assert service.provider is found["cache.default"].provider


def test_a_kind_takes_the_first_instance_that_has_it(configured: Configure) -> None:
    found = configured(MEMORY, signup=SIGNUP, other=OTHER)
    service = CacheService("x", cache_type=CacheType.REDIS)
    assert service.provider is found["cache.instances.signup"].provider


async def test_a_kind_configured_nowhere_is_made_once_from_its_defaults(
    configured: Configure,
) -> None:
    configured(SIGNUP)
    service = CacheService("x", cache_type="memory")
    assert isinstance(service.provider, InMemoryCacheProvider)
    assert service.provider is service.provider
    await service.set("key", 1)
    assert await service.get("key") == 1


async def test_disconnecting_leaves_the_containers_cache_open(configured: Configure) -> None:
    found = configured(MEMORY)
    service = CacheService("x")
    async with service:
        await service.set("key", 1)
    assert len(found["cache.default"].provider) == 1


def test_a_service_is_made_before_there_is_a_container() -> None:
    assert CacheService("x", default_ttl=600, cache_type=CacheType.REDIS).default_ttl == 600


def test_the_factory_makes_a_new_provider_each_time(configured: Configure) -> None:
    configured(MEMORY, signup=SIGNUP)
    first, second = CacheFactory.create_cache(), CacheFactory.create_cache()
    assert isinstance(first, InMemoryCacheProvider)
    assert first is not second


def test_the_factory_finds_the_block_of_a_kind(configured: Configure) -> None:
    configured(MEMORY, signup=SIGNUP, other=OTHER)
    provider = CacheFactory.create_cache(CacheType.REDIS, name="mine")
    assert isinstance(provider, RedisCacheProvider)
    assert (provider.settings.ttl_seconds, provider.name) == (2, "mine")


def test_the_factory_falls_back_to_the_kinds_defaults(configured: Configure) -> None:
    configured(MEMORY)
    assert CacheFactory.create_cache("redis").settings == RedisCacheSettings()


def test_the_factory_takes_a_block_without_any_container() -> None:
    assert CacheFactory.create_cache(settings=MEMORY).settings is MEMORY
    with pytest.raises(ValueError, match="kind 'memory', not 'redis'"):
        CacheFactory.create_cache("redis", MEMORY)


def test_an_unknown_kind_lists_the_known_ones(configured: Configure) -> None:
    configured(MEMORY)
    with pytest.raises(UnknownKindError, match=r"'reddis'.*Did you mean 'redis'"):
        CacheFactory.create_cache("reddis")


def test_instances_are_the_named_caches(configured: Configure) -> None:
    found = configured(MEMORY, signup=SIGNUP, confirmation=MEMORY)
    instances = importlib.import_module("infrastructure.cache.instances")
    assert instances.signup_cache is found["cache.instances.signup"]
    assert instances.confirmation_cache is found["cache.instances.confirmation"]


def test_an_instance_that_is_not_configured_lists_those_that_are(configured: Configure) -> None:
    configured(MEMORY, signup=SIGNUP, confirmation=MEMORY)
    instances = importlib.import_module("infrastructure.cache.instances")
    with pytest.raises(AttributeError, match=r"confirmation_cache, signup_cache"):
        _ = instances.login_cache


def test_any_other_attribute_does_not_ask_the_container() -> None:
    instances = importlib.import_module("infrastructure.cache.instances")
    assert not hasattr(instances, "signup")
    assert not hasattr(instances, "__wrapped__")
