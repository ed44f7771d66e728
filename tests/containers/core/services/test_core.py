"""Conformance, C: what registered services resolve to, and how they end."""
# ruff: noqa: N802 - a test is named by its id in the list

from collections.abc import Iterator, Sequence
from typing import overload

import pytest

from containers.core.services import (
    DIContainer,
    ScopeFactory,
    ServiceLifetime,
    ServiceNotRegisteredError,
    ServiceProvider,
    ServiceScope,
)
from containers.errors import CaptiveServiceError, ServiceError
from tests.containers.core.services.models import (
    Closing,
    English,
    First,
    French,
    Greeter,
    MemoryRepository,
    Mixed,
    NeedsPlain,
    NeedsProvider,
    Other,
    Plain,
    Repository,
    Second,
    Third,
    Unknown,
    User,
    UserRepository,
)

Log = list[str]


@pytest.fixture
def container() -> Iterator[DIContainer]:
    with DIContainer() as container:
        yield container


@pytest.fixture
def log(container: DIContainer) -> Log:
    log: Log = []
    container.register_instance(list[str], log)
    return log


def test_C01_a_type_registered_to_an_implementation_resolves_to_it(container):
    container.register_transient(Greeter, English)
    assert type(container.resolve(Greeter)) is English


def test_C02_a_transient_is_a_new_object_each_time(container):
    container.register_transient(Plain)
    assert container.resolve(Plain) is not container.resolve(Plain)


def test_C03_a_singleton_is_the_same_object_each_time(container):
    container.register_singleton(Plain)
    assert container.resolve(Plain) is container.resolve(Plain)


def test_C04_a_ready_instance_is_given_as_it_is(container):
    english = English()
    container.register_instance(Greeter, english)
    assert container.resolve(Greeter) is english


def test_C05_a_transient_resolves_from_the_container(container):
    container.register_transient(Plain)
    assert isinstance(container.resolve(Plain), Plain)


def test_C06_a_transient_of_a_scope_is_no_other_ones(container):
    container.register_transient(Plain)
    with container.create_scope() as scope:
        made = [scope.resolve(Plain), scope.resolve(Plain), container.resolve(Plain)]
    assert len({id(one) for one in made}) == 3


def test_C07_a_singleton_resolved_in_a_scope_gets_the_root_provider(container):
    container.register_singleton(NeedsProvider)
    with container.create_scope() as scope, scope.create_scope() as inner:
        assert inner.resolve(NeedsProvider).provider is container
        assert scope.resolve(ServiceProvider) is scope


def test_C08_one_registration_is_a_collection_of_one(container):
    container.register_transient(Greeter, English)
    assert [one.greet() for one in container.resolve(list[Greeter])] == ["hello"]


def test_C09_several_registrations_are_a_collection_of_all(container):
    container.register_transient(Greeter, English)
    container.register_singleton(Greeter, French)
    assert len(container.resolve(Sequence[Greeter])) == 2


@pytest.mark.parametrize("classes", [(English, French), (French, English)])
def test_C10_a_collection_keeps_the_order_of_registration(container, classes):
    for cls in classes:
        container.register_transient(Greeter, cls)
    assert tuple(type(one) for one in container.resolve(list[Greeter])) == classes


def test_C11_a_constructor_takes_a_single_service_and_a_collection(container):
    container.register_singleton(Plain)
    container.register_singleton(Greeter, English)
    container.register_singleton(Greeter, French)
    container.register_transient(Mixed)
    mixed = container.resolve(Mixed)
    assert mixed.plain is container.resolve(Plain)
    assert mixed.greeters == container.resolve(list[Greeter])


def test_C12_a_factory_can_resolve_other_services(container):
    container.register_singleton(Plain)
    container.register_factory(NeedsPlain, lambda provider: NeedsPlain(provider.resolve(Plain)))
    assert container.resolve(NeedsPlain).plain is container.resolve(Plain)


@pytest.mark.parametrize(
    ("lifetime", "is_shared"), [(ServiceLifetime.SCOPED, True), (ServiceLifetime.TRANSIENT, False)]
)
def test_C13_objects_of_factories_take_part_in_the_graph(container, lifetime, is_shared):
    container.register_factory(Plain, lambda: Plain(), lifetime)  # noqa: PLW0108 - a factory, not a class
    container.register_transient(NeedsPlain)
    with container.create_scope() as scope:
        first, second = scope.resolve(NeedsPlain), scope.resolve(NeedsPlain)
        assert (first.plain is second.plain) is is_shared


def test_C14_the_last_registration_wins_for_one(container):
    container.register_transient(Greeter, English)
    container.register_transient(Greeter, French)
    assert container.resolve(Greeter).greet() == "bonjour"


def test_C15_a_singleton_by_its_interface_is_one_object(container):
    container.register_singleton(Greeter, English)
    assert container.resolve(Greeter) is container.resolve(Greeter)


def test_C16_the_scope_factory_is_always_a_service(container):
    with container.resolve(ScopeFactory).create_scope() as scope:
        assert isinstance(scope, ServiceScope)


def test_C17_a_scoped_object_is_the_scopes_own(container):
    """The container itself gives none: nothing would end it before the process does."""
    container.register_scoped(Plain)
    with container.create_scope() as one, container.create_scope() as other:
        assert one.resolve(Plain) is one.resolve(Plain)
        assert one.resolve(Plain) is not other.resolve(Plain)
    with pytest.raises(CaptiveServiceError, match="scoped 'Plain' was asked outside a scope"):
        container.resolve(Plain)


def test_C18_nested_scopes_have_different_objects(container):
    container.register_scoped(Plain)
    with container.create_scope() as outer, outer.create_scope() as inner:
        assert outer.resolve(Plain) is not inner.resolve(Plain)


def test_C19_a_kept_scope_factory_opens_scopes_that_leave_each_other_alone(container, log):
    container.register_scoped(First)
    factory = container.resolve(ScopeFactory)
    with factory.create_scope() as outer:
        outer.resolve(First)
        for _ in range(2):
            with factory.create_scope() as inner:
                inner.resolve(First)
        assert log == ["first", "first"]
    assert len(log) == 3


def test_C20_a_scope_ends_its_scoped_and_transient_objects_and_the_container_the_rest():
    log: Log = []
    with DIContainer() as container:
        container.register_instance(list[str], log)
        container.register_singleton(Third)
        container.register_singleton(Second)
        container.register_transient(First)
        container.register_scoped(Closing)
        with container.create_scope() as scope:
            for service in (Closing, First, Third):
                scope.resolve(service)
            assert log == []
        assert log == ["first", "closing"]
    assert log == ["first", "closing", "third", "second", "first"]


def test_C21_the_provider_resolves_itself_and_ends_without_recursion():
    container = DIContainer()
    container.register_factory(NeedsProvider, NeedsProvider)
    container.register_factory(Closing, lambda provider: provider)
    assert container.resolve(DIContainer) is container.resolve(ServiceProvider)
    assert container.resolve(Closing) is container
    container.close()
    container.close()


def test_C22_an_object_that_keeps_providers_and_closes_them_ends_safely():
    class Owner:
        def __init__(self, provider: ServiceProvider, container: DIContainer) -> None:
            self.provider, self.container = provider, container

        def close(self) -> None:
            ended.append("owner")
            assert isinstance(self.provider, ServiceScope)
            self.provider.close()
            self.container.close()

    ended: Log = []
    container = DIContainer()
    container.register_scoped(Owner)
    with container.create_scope() as scope:
        scope.resolve(Owner)
    assert ended == ["owner"]


def test_C23_a_singleton_made_in_a_scope_outlives_it(container, log):
    container.register_singleton(First)
    with container.create_scope() as scope:
        first = scope.resolve(First)
    assert log == []
    assert container.resolve(First) is first


def test_C24_scopes_in_scopes_resolve_scoped_services(container):
    container.register_scoped(Plain)
    container.register_transient(NeedsPlain)
    with container.create_scope() as outer:
        outer.resolve(Plain)
        with outer.resolve(ServiceProvider).create_scope() as inner:
            assert inner.resolve(NeedsPlain).plain is inner.resolve(Plain)


def test_C31_an_unknown_service_is_none_with_the_optional_getter(container):
    assert container.resolve_optional(Unknown) is None
    with pytest.raises(ServiceNotRegisteredError, match="'Unknown' is not registered"):
        container.resolve(Unknown)


def test_C32_an_unknown_collection_is_empty(container):
    assert container.resolve(list[Unknown]) == []


class Overloaded:
    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, plain: Plain) -> None: ...
    @overload
    def __init__(self, plain: Plain, other: Other) -> None: ...
    @overload
    def __init__(self, plain: Plain, other: Other, unknown: Unknown) -> None: ...
    def __init__(self, *found: object, **named: object) -> None:
        self.found = set(named)


@pytest.mark.parametrize(
    ("registered", "taken"),
    [
        ((), set()),
        ((Other,), set()),
        ((Plain,), {"plain"}),
        ((Plain, Other), {"plain", "other"}),
        ((Plain, Other, Unknown), {"plain", "other", "unknown"}),
    ],
)
def test_C33_the_signature_with_most_known_parameters_is_chosen(container, registered, taken):
    for service in registered:
        container.register_singleton(service)
    container.register_transient(Overloaded)
    assert container.resolve(Overloaded).found == taken


def test_C34_objects_end_in_reverse_order_of_creation_across_lifetimes(container, log):
    container.register_scoped(First)
    container.register_transient(Second)
    container.register_scoped(Third)
    with container.create_scope() as scope:
        scope.resolve(Third)
    assert log == ["third", "second", "first"]


def test_C35_a_collection_mixes_open_and_closed_generics_in_order(container):
    container.register_transient(Repository, MemoryRepository)
    container.register_transient(Repository[User], UserRepository)
    container.register_transient(Repository, Repository)
    found = [type(one) for one in container.resolve(list[Repository[User]])]
    assert found == [MemoryRepository, UserRepository, Repository]


@pytest.mark.parametrize("lifetime", [ServiceLifetime.SCOPED, ServiceLifetime.SINGLETON])
@pytest.mark.parametrize("service", [Repository, Repository[User]], ids=["open", "closed"])
def test_C36_one_implementation_registered_three_times_is_three_objects(
    container, lifetime, service
):
    for _ in range(3):
        container.register_factory(service, MemoryRepository, lifetime)
    with container.create_scope() as scope:
        found = scope.resolve(list[Repository[User]])
        assert len({id(one) for one in found}) == 3
        assert scope.resolve(Repository[User]) is found[-1]


def test_nothing_resolves_after_the_end():
    container = DIContainer()
    scope = container.create_scope()
    scope.close()
    with pytest.raises(ServiceError, match="the scope was asked after its end"):
        scope.resolve(Plain)
    with pytest.raises(ServiceError, match="after its end"):
        scope.__enter__()


def test_a_ready_object_is_not_ended():
    log: Log = []
    with DIContainer() as container:
        container.register_instance(Closing, Second(log, First(log)))
        container.register_factory(First, lambda provider: provider.resolve(Closing))
        container.resolve(First)
    assert log == []


def test_an_object_known_by_two_names_ends_once():
    log: Log = []
    with DIContainer() as container:
        container.register_instance(list[str], log)
        container.register_singleton(First)
        container.register_factory(Closing, lambda provider: provider.resolve(First))
        with container.create_scope() as scope:
            scope.resolve(Closing)
    assert log == ["first"]
