"""Checking everything at once, freezing, and the registrations that come only if none is there."""

import gc
import threading
import weakref

import pytest

from containers import DIContainer, ServiceLifetime
from containers.core.services import ServiceDescriptor
from containers.errors import (
    CircularDependencyError,
    ContainerError,
    ServiceRegistrationError,
    ValidationError,
)
from tests.containers.core.services.models import (
    Clock,
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
)


@pytest.fixture
def container() -> DIContainer:
    return DIContainer()


class Hen:
    def __init__(self, egg: "Egg") -> None: ...


class Egg:
    def __init__(self, hen: Hen) -> None: ...


class NeedsTwo:
    def __init__(self, unknown: Unknown, other: Other, count) -> None: ...


class Keeps:
    def __init__(self, needs: NeedsPlain) -> None: ...


def wrong(container: DIContainer) -> DIContainer:
    container.register_scoped(Plain)
    container.register_transient(NeedsPlain)
    for service in (Hen, Egg, NeedsTwo, Keeps):
        container.register_singleton(service)
    return container


@pytest.mark.parametrize("look", [DIContainer.check, DIContainer.build])
def test_every_fault_is_found_at_once(container, look):
    with pytest.raises(ValidationError) as caught:
        look(wrong(container))
    found = [(problem.code, problem.path) for problem in caught.value.problems]
    assert found == [
        ("missing-argument", ("NeedsTwo", "Unknown")),
        ("missing-argument", ("NeedsTwo", "Other")),
        ("missing-argument", ("NeedsTwo",)),
        ("cycle", ("Hen", "Egg", "Hen")),
        ("captive", ("Keeps", "NeedsPlain", "Plain")),
    ]


def test_what_is_wrong_far_down_is_told_with_the_way(container):
    container.register_singleton(Keeps)
    container.register_singleton(NeedsPlain)
    with pytest.raises(ValidationError, match="needed to build 'NeedsPlain'") as caught:
        container.check()
    assert [problem.path for problem in caught.value.problems] == [("Keeps", "NeedsPlain", "Plain")]


def test_looking_makes_nothing_and_freezes_nothing(container):
    def make() -> Plain:
        raise AssertionError

    container.register_factory(Plain, make)
    container.check()
    container.register_singleton(Other)
    container.check()


def test_a_wrong_container_is_not_frozen(container):
    container.register_singleton(NeedsPlain)
    with pytest.raises(ValidationError):
        container.build()
    container.register_singleton(Plain)
    assert container.build() is container


def test_building_twice_is_building_once(container):
    container.register_singleton(Plain)
    assert container.build().build().resolve(Plain) is container.resolve(Plain)


def test_after_build_nothing_is_registered(container):
    container.register_singleton(Greeter, English)
    container.build()
    with pytest.raises(ServiceRegistrationError, match=r"registered after build\(\)"):
        container.register_singleton(Plain)
    with pytest.raises(ServiceRegistrationError, match=r"registered after build\(\)"):
        container.decorate(Greeter, lambda greeter: greeter)
    with container.override(Greeter, French()):
        assert container.resolve(Greeter).greet() == "bonjour"


def test_open_generics_and_any_keys_are_no_fault(container):
    container.register_singleton(Repository, MemoryRepository)
    container.register_singleton(Plain, key="a")
    container.build()


def test_trying_registers_only_the_first(container):
    assert container.try_register_singleton(Greeter, English)
    assert not container.try_register_singleton(Greeter, French)
    assert not container.try_register_scoped(Greeter, French)
    assert not container.try_register_transient(Greeter, French)
    assert not container.try_register_instance(Greeter, French())
    assert not container.try_register_factory(Greeter, French)
    assert [one.greet() for one in container.resolve_all(Greeter)] == ["hello"]


def test_trying_looks_at_the_key(container):
    assert container.try_register_singleton(Greeter, English)
    assert container.try_register_singleton(Greeter, French, key="fr")
    assert container.resolve(Greeter, "fr").greet() == "bonjour"


def test_trying_under_threads_registers_once(container):
    ready = threading.Barrier(8)

    def work() -> None:
        ready.wait()
        container.try_register_singleton(Plain)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(container.descriptors) == 1


def test_descriptors_tell_what_is_registered(container):
    container.register_scoped(Clock, FixedClock, key="a")
    (descriptor,) = container.descriptors
    assert isinstance(descriptor, ServiceDescriptor)
    assert (descriptor.service, descriptor.target, descriptor.key) == (Clock, FixedClock, "a")
    assert descriptor.lifetime is ServiceLifetime.SCOPED


def test_all_objects_of_a_service_are_resolved_in_order(container):
    assert container.resolve_all(Greeter) == []
    container.register_singleton(Greeter, English)
    container.register_singleton(Greeter, French)
    container.register_singleton(Greeter, French, key="fr")
    assert [type(one) for one in container.resolve_all(Greeter)] == [English, French]
    assert [type(one) for one in container.resolve_all(Greeter, "fr")] == [French]


async def test_what_is_optional_or_many_can_be_awaited(container):
    async def make() -> Plain:
        return Plain()

    assert await container.aresolve_optional(Plain) is None
    container.register_factory(Plain, make)
    assert await container.aresolve_all(Plain) == [await container.aresolve_optional(Plain)]


def test_a_factory_receives_the_scope_that_resolves(container):
    container.register_factory(Plain, lambda scope: scope, lifetime="transient")
    with container.create_scope() as scope:
        assert scope.resolve(Plain) is scope
    assert container.resolve(Plain) is container


def test_a_circle_is_a_container_error_of_its_own():
    error = CircularDependencyError(["a", "b", "a"])
    assert isinstance(error, ContainerError)
    assert error.path == ("a", "b", "a")
    assert "'a' needs itself: a -> b -> a. Break the circle" in str(error)


def test_a_plan_shows_its_call_in_a_traceback(container):
    class Fails:
        def __init__(self, plain: Plain) -> None:
            raise OSError("down")

    container.register_transient(Plain)
    container.register_transient(Fails)
    with pytest.raises(OSError, match="down") as caught:
        container.resolve(Fails)
    assert any("plan of service Fails" in str(entry.path) for entry in caught.traceback)


def test_a_scope_and_a_container_that_are_dropped_are_freed():
    container = DIContainer()
    container.register_scoped(Plain)
    scope = container.create_scope()
    kept = [weakref.ref(scope.resolve(Plain)), weakref.ref(scope)]
    del scope
    assert [one() for one in kept] == [None, None]
    dropped = weakref.ref(container)
    del container
    gc.collect()
    assert dropped() is None


def test_an_override_leaves_no_plan_behind(container):
    container.register_singleton(Plain)
    container.register_singleton(NeedsPlain)
    container.resolve(NeedsPlain)
    fake = Plain()
    with container.override(Plain, fake):
        built = weakref.ref(container.resolve(NeedsPlain))
    gc.collect()
    assert built() is None
