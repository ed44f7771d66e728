"""Registering: autowiring, decorators, open generics, discovery, and what is refused."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Generic, NewType, TypeVar

import pytest

from containers.core.services import (
    DIContainer,
    Key,
    ServiceLifetime,
    ServiceNotRegisteredError,
    service,
)
from containers.errors import ServiceCreationError, ServiceRegistrationError
from tests.containers.core.services import discovered, postponed
from tests.containers.core.services.models import (
    Clock,
    Closing,
    English,
    FixedClock,
    French,
    Greeter,
    MemoryRepository,
    NeedsPlain,
    Other,
    Plain,
    Repository,
    Unknown,
    User,
    UserRepository,
)

T = TypeVar("T")
UserId = NewType("UserId", int)


class Loud(Greeter):
    def __init__(self, inner: Greeter, plain: Plain | None) -> None:
        self.inner = inner
        self.plain = plain

    def greet(self) -> str:
        return self.inner.greet().upper()


class Polite(Greeter):
    def __init__(self, inner: Greeter) -> None:
        self.inner = inner

    def greet(self) -> str:
        return f"{self.inner.greet()}, please"


class Source(Generic[T]): ...


class Sourced(Repository[T]):
    def __init__(self, source: Source[T]) -> None:
        self.source = source


@dataclass
class Options:
    plain: Plain
    greeters: list[Greeter]
    unknown: Unknown | None
    names: tuple[str, ...] = ()
    limit: int = 5


@pytest.fixture
def container() -> DIContainer:
    return DIContainer()


def test_annotations_defaults_and_optionals_are_filled(container):
    container.register_singleton(Plain)
    container.register_transient(Options)
    options = container.resolve(Options)
    assert options == Options(container.resolve(Plain), [], None, (), 5)


def test_a_registered_service_goes_before_a_default(container):
    container.register_instance(int, 9)
    container.register_singleton(Plain)
    container.register_transient(Options)
    assert container.resolve(Options).limit == 9


def test_postponed_annotations_are_understood(container):
    container.register_singleton(Plain)
    container.register_singleton(Greeter, English, key="en")
    container.register_singleton(postponed.Postponed)
    plain = container.resolve(Plain)
    found = container.resolve(postponed.Postponed).found
    assert found == (plain, container.resolve(Greeter, "en"), plain)


def test_an_annotation_that_exists_for_checkers_only_is_told(container):
    container.register_singleton(postponed.Broken)
    with pytest.raises(ServiceCreationError, match=r"annotation of Broken .* 'Other' is not"):
        container.resolve(postponed.Broken)


def test_a_parameter_without_annotation_is_told(container):
    class Bare:
        def __init__(self, size):
            raise AssertionError

    container.register_singleton(Bare)
    with pytest.raises(ServiceCreationError, match=r"'Bare' .* parameter 'size' names no service"):
        container.resolve(Bare)


def test_new_types_and_bound_arguments_are_understood(container):
    def make(user: UserId, size: int, *, name: str) -> Closing:
        return Closing([str(user), str(size), name])

    container.register_instance(UserId, UserId(3))
    container.register_factory(Closing, partial(make, size=4, name="x"))
    assert container.resolve(Closing).log == ["3", "4", "x"]


def test_a_missing_service_far_down_is_told_with_the_way_and_a_guess(container):
    class Top:
        def __init__(self, needs: NeedsPlain) -> None: ...

    class Plane: ...

    container.register_singleton(Top)
    container.register_singleton(NeedsPlain)
    container.register_singleton(Plane)
    told = r"asked through Top -> NeedsPlain -> Plain\. Did you mean 'Plane'\?"
    with pytest.raises(ServiceNotRegisteredError, match=told) as caught:
        container.resolve(Top)
    assert (caught.value.service, caught.value.path) == (Plain, ("Top", "NeedsPlain", "Plain"))


def test_asking_for_an_implementation_names_what_it_serves(container):
    container.register_singleton(Greeter, English)
    with pytest.raises(ServiceNotRegisteredError, match="It serves Greeter: ask for that"):
        container.resolve(English)


def test_the_error_needs_no_more_than_the_service():
    assert str(ServiceNotRegisteredError(Plain)) == "services: 'Plain' is not registered"


@pytest.mark.parametrize("lifetime", list(ServiceLifetime))
def test_decorators_wrap_what_was_registered(container, lifetime):
    container.register_factory(Greeter, English, lifetime)
    container.register_factory(Greeter, French, lifetime)
    container.decorate(Greeter, Polite)
    container.decorate(Greeter, Loud)
    container.register_factory(Greeter, English, lifetime)
    with container.create_scope() as scope:
        greetings = [one.greet() for one in scope.resolve(list[Greeter])]
    assert greetings == ["HELLO, PLEASE", "BONJOUR, PLEASE", "hello"]


def test_a_decorator_wraps_the_object_that_was_there(container):
    english = English()
    container.register_instance(Greeter, english)
    container.decorate(Greeter, Loud)
    wrapper = container.resolve(Greeter)
    assert wrapper is container.resolve(Greeter)
    assert wrapper.inner is english


def test_a_keyed_service_is_decorated_by_its_key(container):
    container.register_singleton(Greeter, English, key="a")
    container.register_singleton(Greeter, French)
    container.decorate(Greeter, Polite, key="a")
    assert container.resolve(Greeter, "a").greet() == "hello, please"
    assert container.resolve(Greeter).greet() == "bonjour"


def test_decorating_nothing_is_an_error(container):
    with pytest.raises(ServiceNotRegisteredError, match="Register Greeter before decorating it"):
        container.decorate(Greeter, Loud)


def test_an_open_generic_gives_its_parts_the_type(container):
    container.register_singleton(Source)
    container.register_singleton(Repository, Sourced)
    repository = container.resolve(Repository[User])
    assert repository.source is container.resolve(Source[User])
    assert repository.source is not container.resolve(Source[Plain])


def test_a_closed_generic_beats_an_open_one_whatever_the_order(container):
    container.register_singleton(Repository[User], UserRepository)
    container.register_singleton(Repository, MemoryRepository)
    assert type(container.resolve(Repository[User])) is UserRepository
    assert type(container.resolve(Repository[Plain])) is MemoryRepository


def test_an_open_registration_serves_only_what_its_class_can_be(container):
    container.register_singleton(Repository, UserRepository)
    assert container.is_registered(Repository[User])
    assert not container.is_registered(Repository[Plain])


def test_asking_for_an_open_generic_says_what_to_ask(container):
    container.register_singleton(Repository, MemoryRepository)
    with pytest.raises(ServiceNotRegisteredError, match=r"ask for Repository\[...\]"):
        container.resolve(Repository)


def test_a_protocol_is_served_by_a_class_with_its_methods(container):
    container.register_singleton(Clock, FixedClock)
    assert container.resolve(Clock).now() == 7
    with pytest.raises(ServiceRegistrationError, match="Plain cannot serve Clock: it has no now"):
        container.register_singleton(Clock, Plain)


def test_what_cannot_serve_is_refused_at_once(container):
    with pytest.raises(ServiceRegistrationError, match="Plain cannot serve Greeter"):
        container.register_singleton(Greeter, Plain)
    with pytest.raises(ServiceRegistrationError, match="Greeter is abstract"):
        container.register_singleton(Greeter)
    with pytest.raises(ServiceRegistrationError, match="the object for Greeter is Plain"):
        container.register_instance(Greeter, Plain())
    with pytest.raises(ServiceRegistrationError, match="cannot be made by 5"):
        container.register_factory(int, 5)
    assert not container.is_registered(Greeter)


def test_a_package_is_scanned_for_marked_classes_and_factories(container):
    found = container.scan(discovered)
    assert {getattr(one, "__name__", "") for one in found} == {
        "Greeter",
        "Letter",
        "Plain",
        "Other",
    }
    assert container.resolve(Greeter, "de").greet() == "hallo"
    assert container.resolve(Plain) is container.resolve(Plain)
    with container.create_scope() as scope:
        assert scope.resolve(Other) is not scope.resolve(Other)


def test_scanning_again_registers_nothing_twice(container):
    container.scan(discovered.__name__)
    assert container.scan(discovered) == ()


def test_a_subclass_does_not_inherit_the_marker(container):
    container.scan(discovered)
    assert len(container.resolve(list[Greeter], "de")) == 1


def test_a_marked_factory_says_what_it_makes():
    with pytest.raises(ServiceRegistrationError, match="does not say what it makes"):

        @service
        def make():
            raise AssertionError


def test_parameters_ask_with_keys_and_may_go_without(container):
    class Maybe:
        def __init__(self, plain: Annotated[Plain | None, Key("a")]) -> None:
            self.plain = plain

    container.register_transient(Maybe)
    assert container.resolve(Maybe).plain is None
    container.register_singleton(Plain, key="a")
    assert container.resolve(Maybe).plain is container.resolve(Plain, "a")
