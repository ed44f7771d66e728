"""Conformance, K: services that have keys."""
# ruff: noqa: N802 - a test is named by its id in the list

from typing import Annotated

import pytest

from containers.core.services import (
    ANY_KEY,
    DIContainer,
    Key,
    ServiceKey,
    ServiceLifetime,
    ServiceNotRegisteredError,
    ServiceProvider,
)
from containers.errors import ServiceCreationError
from tests.containers.core.services.models import (
    Chooses,
    English,
    French,
    Greeter,
    MemoryRepository,
    Plain,
    Repository,
    User,
    UserRepository,
)


class Named:
    def __init__(self, name: Annotated[str, ServiceKey]) -> None:
        self.name = name


@pytest.fixture
def container() -> DIContainer:
    return DIContainer()


def named(provider: ServiceProvider, key: Annotated[str, ServiceKey]) -> Named:
    return Named(key)


def test_K01_two_keys_are_two_services_and_without_a_key_there_is_none(container):
    container.register_singleton(Greeter, English, key="en")
    container.register_singleton(Greeter, French, key="fr")
    assert container.resolve(Greeter, "en").greet() == "hello"
    assert container.resolve(Greeter, "fr").greet() == "bonjour"
    assert container.resolve_optional(Greeter) is None


def test_K02_registered_with_the_key_none_is_registered_without(container):
    container.register_singleton(Plain, key=None)
    assert container.resolve(Plain) is container.resolve(Plain, None)


def test_K03_registered_without_a_key_is_found_with_none(container):
    container.register_singleton(Plain)
    assert container.resolve(Plain, key=None) is container.resolve(Plain)


def test_K04_a_keyed_open_generic_resolves(container):
    container.register_singleton(Repository, MemoryRepository, key="a")
    assert type(container.resolve(Repository[User], "a")) is MemoryRepository


def test_K05_a_keyed_collection_has_all_of_that_key_in_order(container):
    container.register_singleton(Greeter, French, key="a")
    container.register_singleton(Greeter, English, key="b")
    container.register_singleton(Greeter, English, key="a")
    assert [one.greet() for one in container.resolve(list[Greeter], "a")] == ["bonjour", "hello"]


def test_K06_any_key_asks_for_all_that_have_one_and_stays_stable(container):
    container.register_singleton(Greeter, English, key="a")
    container.register_singleton(Greeter, English)
    container.register_singleton(Greeter, French, key="b")
    found = container.resolve(list[Greeter], ANY_KEY)
    assert [one.greet() for one in found] == ["hello", "bonjour"]
    assert container.resolve(list[Greeter], ANY_KEY) == found


def test_K07_objects_made_on_demand_do_not_enter_the_any_key_collection(container):
    container.register_singleton(Plain, key=ANY_KEY)
    container.register_singleton(Plain, key="a")
    specific = container.resolve(Plain, "a")
    container.resolve(Plain, "on demand")
    assert container.resolve(list[Plain], ANY_KEY) == [specific]


def test_K08_a_keyed_collection_of_closed_generics(container):
    container.register_singleton(Repository[User], UserRepository, key="a")
    container.register_singleton(Repository[User], MemoryRepository[User], key="a")
    container.register_singleton(Repository[Plain], MemoryRepository[Plain], key="a")
    found = container.resolve(list[Repository[User]], "a")
    assert [type(one) for one in found] == [UserRepository, MemoryRepository]


def test_K09_a_keyed_ready_object(container):
    english = English()
    container.register_instance(Greeter, english, key="en")
    assert container.resolve(Greeter, "en") is english


def test_K10_the_key_itself_is_injected(container):
    container.register_singleton(Named, key="a")
    assert container.resolve(Named, "a").name == "a"


def test_K11_an_any_key_singleton_is_one_object_a_key_and_is_told_it(container):
    container.register_singleton(Named, key=ANY_KEY)
    first = container.resolve(Named, "a")
    assert container.resolve(Named, "a") is first
    assert (first.name, container.resolve(Named, "b").name) == ("a", "b")


def test_K12_an_any_key_and_a_specific_one_are_both_in_the_collection(container):
    container.register_singleton(Greeter, English, key=ANY_KEY)
    container.register_singleton(Greeter, French, key="a")
    assert [one.greet() for one in container.resolve(list[Greeter], "a")] == ["hello", "bonjour"]
    assert container.resolve(Greeter, "a").greet() == "bonjour"


def test_K13_parameters_choose_their_keys(container):
    container.register_singleton(Greeter, English, key="en")
    container.register_singleton(Greeter, French, key="fr")
    container.register_transient(Chooses)
    assert container.resolve(Chooses).greetings == ["hello", "bonjour"]


def test_K14_parameters_of_a_class_that_is_not_registered_choose_their_keys(container):
    container.register_singleton(Greeter, English, key="en")
    container.register_singleton(Greeter, French, key="fr")
    assert container.create(Chooses).greetings == ["hello", "bonjour"]


def test_K15_a_keyed_factory_of_a_singleton(container):
    container.register_factory(Named, named, key="a")
    assert container.resolve(Named, "a") is container.resolve(Named, "a")


def test_K16_an_any_key_factory_makes_one_object_a_key(container):
    container.register_factory(Named, named, key=ANY_KEY)
    assert container.resolve(Named, "a") is container.resolve(Named, "a")
    assert container.resolve(Named, "a") is not container.resolve(Named, "b")


async def test_K17_a_key_of_the_wrong_type_is_told_by_every_getter(container):
    container.register_transient(Named, key=ANY_KEY)
    told = r"the key of 'Named\[key=5\]' is int, not str"
    with pytest.raises(ServiceCreationError, match=told):
        container.resolve(Named, 5)
    with pytest.raises(ServiceCreationError, match=told):
        container.resolve_optional(Named, 5)
    with pytest.raises(ServiceCreationError, match=told):
        await container.aresolve(Named, 5)


def test_K18_a_key_on_a_class_that_serves_itself(container):
    container.register_singleton(Plain, key="a")
    assert type(container.resolve(Plain, "a")) is Plain


def test_K19_a_keyed_factory_of_transients_gets_the_key(container):
    container.register_factory(
        Named, lambda _provider, key: Named(key), ServiceLifetime.TRANSIENT, key="a"
    )
    assert container.resolve(Named, "a").name == "a"
    assert container.resolve(Named, "a") is not container.resolve(Named, "a")


def test_K20_a_keyed_transient_is_new_each_time(container):
    container.register_transient(Plain, key="a")
    assert container.resolve(Plain, "a") is not container.resolve(Plain, "a")


def test_K21_an_any_key_transient_is_new_each_time(container):
    container.register_transient(Named, key=ANY_KEY)
    first, second = container.resolve(Named, "a"), container.resolve(Named, "a")
    assert first is not second
    assert first.name == second.name == "a"


class Keyring:
    def __init__(self, provider: ServiceProvider) -> None:
        self.provider = provider

    def named(self, key: str) -> Named:
        return self.provider.resolve(Named, key)


@pytest.mark.parametrize("from_scope", [False, True])
def test_K22_a_keyed_singleton_by_an_injected_provider(container, from_scope):
    container.register_singleton(Named, key="a")
    container.register_transient(Keyring)
    with container.create_scope() as scope:
        keyring = (scope if from_scope else container).resolve(Keyring)
        assert keyring.named("a") is container.resolve(Named, "a")


@pytest.mark.parametrize("from_scope", [False, True])
def test_K23_a_keyed_transient_by_an_injected_provider(container, from_scope):
    container.register_transient(Named, key="a")
    container.register_transient(Keyring)
    with container.create_scope() as scope:
        keyring = (scope if from_scope else container).resolve(Keyring)
        assert keyring.named("a") is not keyring.named("a")


def test_K24_a_keyed_singleton_is_the_same_in_two_scopes(container):
    container.register_singleton(Plain, key="a")
    with container.create_scope() as one, container.create_scope() as other:
        assert one.resolve(Plain, "a") is other.resolve(Plain, "a")


def test_K25_a_keyed_scoped_object_is_the_scopes_own(container):
    container.register_scoped(Plain, key="a")
    with container.create_scope() as one, container.create_scope() as other:
        assert one.resolve(Plain, "a") is one.resolve(Plain, "a")
        assert one.resolve(Plain, "a") is not other.resolve(Plain, "a")


def test_K26_a_keyed_transient_is_different_across_scopes(container):
    container.register_transient(Plain, key="a")
    with container.create_scope() as one, container.create_scope() as other:
        found = [scope.resolve(Plain, "a") for scope in (one, one, other)]
        assert len({id(each) for each in found}) == 3


async def test_K27_a_key_that_cannot_be_served_fails_clearly_on_every_getter(container):
    """There is one kind of provider and it has keys; what it cannot serve is such a key."""
    container.register_singleton(Plain, key=ANY_KEY)
    unhashable: list[str] = []
    for getter in (container.resolve, container.resolve_optional, container.is_registered):
        with pytest.raises(ServiceCreationError, match="unhashable type: 'list'"):
            getter(Plain, unhashable)
    with pytest.raises(ServiceCreationError, match="unhashable type: 'list'"):
        await container.aresolve(Plain, unhashable)
    with pytest.raises(ServiceCreationError, match="one Plain was asked with ANY_KEY"):
        container.resolve(Plain, ANY_KEY)


def test_K28_a_service_looks_keys_up_while_it_runs(container):
    container.register_singleton(Named, key=ANY_KEY)
    container.register_singleton(Keyring)
    keyring = container.resolve(Keyring)
    assert [keyring.named(key).name for key in ("x", "y")] == ["x", "y"]


def test_an_unknown_key_lists_the_known_ones(container):
    container.register_singleton(Plain, key="a")
    with pytest.raises(ServiceNotRegisteredError, match="registered with other keys: a"):
        container.resolve(Plain, "b")


def test_a_key_in_the_annotation_is_asked_with(container):
    container.register_singleton(Plain, key="a")
    assert container.resolve(Annotated[Plain, Key("a")]) is container.resolve(Plain, "a")
