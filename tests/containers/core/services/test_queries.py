"""Conformance, Q and N: what counts as registered."""
# ruff: noqa: N802 - a test is named by its id in the list

import pytest

from containers.core.services import (
    ANY_KEY,
    DIContainer,
    ScopeFactory,
    ServiceProvider,
    ServiceQuery,
)
from tests.containers.core.services.models import (
    English,
    Greeter,
    MemoryRepository,
    Plain,
    Repository,
    User,
    UserRepository,
)

BUILTINS = [DIContainer, ServiceProvider, ScopeFactory, ServiceQuery]


@pytest.fixture
def container() -> DIContainer:
    return DIContainer()


def test_Q01_a_service_is_registered_and_its_implementation_is_not(container):
    container.register_singleton(Greeter, English)
    assert container.is_registered(Greeter)
    assert not container.is_registered(English)


def test_Q02_a_closed_form_of_an_open_generic_is_registered_and_the_open_one_is_not(container):
    container.register_singleton(Repository, MemoryRepository)
    assert container.is_registered(Repository[User])
    assert not container.is_registered(Repository)


def test_Q03_a_closed_generic_is_registered(container):
    container.register_singleton(Repository[User], UserRepository)
    assert container.is_registered(Repository[User])
    assert not container.is_registered(Repository[Plain])


def test_Q04_any_closed_collection_is_registered_and_an_open_one_is_not(container):
    assert container.is_registered(list[Plain])
    assert not container.is_registered(list)


@pytest.mark.parametrize("builtin", BUILTINS)
def test_Q05_what_is_built_in_is_registered(container, builtin):
    assert container.is_registered(builtin)
    assert isinstance(container.resolve(builtin), builtin)


def test_N01_a_keyed_service_is_registered_with_its_key_only(container):
    container.register_singleton(Plain, key="a")
    assert container.is_registered(Plain, "a")
    assert not container.is_registered(Plain, "b")
    assert not container.is_registered(Plain)


def test_N02_a_closed_form_of_a_keyed_open_generic_is_registered(container):
    container.register_singleton(Repository, MemoryRepository, key="a")
    assert container.is_registered(Repository[User], "a")
    assert not container.is_registered(Repository, "a")
    assert not container.is_registered(Repository[User])


def test_N03_a_keyed_closed_generic_is_registered(container):
    container.register_singleton(Repository[User], UserRepository, key="a")
    assert container.is_registered(Repository[User], "a")
    assert not container.is_registered(Repository[User], "b")


def test_N04_any_keyed_collection_is_registered_and_an_open_one_is_not(container):
    assert container.is_registered(list[Plain], "a")
    assert not container.is_registered(list, "a")


def test_N05_no_key_is_the_key_none(container):
    container.register_singleton(Plain)
    assert container.is_registered(Plain, None)
    assert container.is_registered(Plain, key=None)


@pytest.mark.parametrize("builtin", BUILTINS)
def test_N06_what_is_built_in_has_no_key(container, builtin):
    assert container.is_registered(builtin, None)
    assert not container.is_registered(builtin, "a")


def test_any_key_asks_whether_there_is_any(container):
    container.register_singleton(Plain)
    assert not container.is_registered(Plain, ANY_KEY)
    container.register_singleton(Plain, key="a")
    assert container.is_registered(Plain, ANY_KEY)
