"""Dependencies: what somebody else has to give."""

from abc import ABC, abstractmethod
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.errors import Error


class Clock(ABC):
    @abstractmethod
    def now(self) -> str: ...


class Noon(Clock):
    def now(self) -> str:
        return "noon"


class Midnight(Clock):
    def now(self) -> str:
        return "midnight"


class Alarm:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock


class Bedroom(containers.DeclarativeContainer):
    clock = providers.Dependency(instance_of=Clock)
    alarm = providers.Factory(Alarm, clock=clock)


class House(containers.DeclarativeContainer):
    clock = providers.Singleton(Noon)
    bedroom = providers.Container(Bedroom, clock=clock)


def message_of(kind: type[BaseException], call: Any, *args: Any, **kwargs: Any) -> str:
    try:
        call(*args, **kwargs)
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} was not raised")


def program_given_with_the_container():
    room = Bedroom(clock=providers.Singleton(Noon))
    assert room.alarm().clock is room.clock()
    assert Bedroom(clock=Midnight()).alarm().clock.now() == "midnight"
    return room


def program_given_by_an_override():
    room = Bedroom()
    room.clock.override(providers.Factory(Noon))
    assert room.alarm().clock.now() == "noon"
    with room.clock.override(Midnight()):
        assert room.alarm().clock.now() == "midnight"
    room.override_providers(clock=Midnight())
    assert room.alarm().clock.now() == "midnight"
    return room


def program_a_part_is_given_its_dependency_by_the_whole():
    house = House()
    assert house.bedroom.alarm().clock is house.clock()
    with house.clock.override(providers.Singleton(Midnight)):
        assert house.bedroom.alarm().clock.now() == "midnight"
    return house


def program_what_is_not_of_the_class_is_refused():
    room = Bedroom(clock=providers.Object("a string"))
    assert "is not an instance of" in message_of(Error, room.alarm)
    message_of(TypeError, providers.Dependency, instance_of="no class")


def program_what_was_not_given_is_told_by_name():
    room = Bedroom()
    assert message_of(Error, room.alarm) == 'Dependency "Bedroom.clock" is not defined'
    assert room.clock.is_defined is False
    assert message_of(Error, room.check_dependencies) == (
        'Container "Bedroom" has undefined dependencies: "Bedroom.clock"'
    )

    class Empty(containers.DeclarativeContainer):
        bedroom = providers.Container(Bedroom)

    house = Empty()
    assert message_of(Error, house.bedroom.alarm) == (
        'Dependency "Empty.bedroom.clock" is not defined'
    )
    assert "Empty.bedroom.clock" in message_of(Error, house.check_dependencies)
    assert House().check_dependencies() is None


def program_a_default_is_used_until_something_is_given():
    class Room(containers.DeclarativeContainer):
        clock = providers.Dependency(instance_of=Clock, default=Noon())
        alarm = providers.Factory(Alarm, clock)

    room = Room()
    assert room.clock.is_defined
    assert room.clock.default() is not None
    assert room.alarm().clock.now() == "noon"
    assert Room(clock=Midnight()).alarm().clock.now() == "midnight"
    with room.clock.override(Midnight()):
        assert room.alarm().clock.now() == "midnight"
    assert room.alarm().clock.now() == "noon"
    return room


def program_a_default_may_be_a_provider():
    class Room(containers.DeclarativeContainer):
        clock = providers.Dependency(default=providers.Singleton(Noon))
        alarm = providers.Factory(Alarm, clock)

    room = Room()
    assert room.alarm().clock is room.alarm().clock is room.clock()
    room.clock.set_default(providers.Object(Midnight()))
    assert room.alarm().clock.now() == "midnight"
    assert room.clock.instance_of is object
    return room


def program_a_dependency_of_the_class_given_by_the_class():
    class Room(containers.DeclarativeContainer):
        clock = providers.Dependency(instance_of=Clock)
        alarm = providers.Factory(Alarm, clock)

    Room.clock.override(providers.Factory(Noon))
    room = Room()
    assert room.alarm().clock.now() == "noon"
    Room.clock.reset_override()
    return room


def program_dependencies_lists_what_must_be_given():
    assert set(Bedroom().dependencies) == set(Bedroom.dependencies) == {"clock"}
    assert House().dependencies == {}


def program_a_dependency_hands_on_what_it_was_given():
    class Keeper(containers.DeclarativeContainer):
        clock = providers.Dependency(instance_of=Clock)
        keep = providers.Callable(lambda one: one, clock.provider)

    keeper = Keeper(clock=providers.Singleton(Noon))
    assert keeper.keep()().now() == "noon"
    assert keeper.clock().now() == "noon"
    return keeper


def program_a_whole_container_can_be_a_dependency():
    class Gateways(containers.DeclarativeContainer):
        clock = providers.Singleton(Noon)
        number = providers.Object(5)

    class Services(containers.DeclarativeContainer):
        gateways = providers.DependenciesContainer()
        alarm = providers.Factory(Alarm, clock=gateways.clock)

    gateways = Gateways()
    services = Services(gateways=gateways)
    assert services.alarm().clock is gateways.clock()
    assert services.gateways.clock() is gateways.clock()
    services.check_dependencies()

    class App(containers.DeclarativeContainer):
        gateways = providers.Container(Gateways)
        services = providers.Container(Services, gateways=gateways)

    app = App()
    assert app.services.alarm().clock is app.gateways.clock()
    with app.gateways.clock.override(Midnight()):
        assert app.services.alarm().clock.now() == "midnight"
    return app, services


def program_a_dependency_container_names_what_it_needs():
    class Services(containers.DeclarativeContainer):
        gateways = providers.DependenciesContainer(
            clock=providers.Dependency(instance_of=Clock), number=providers.Object(3)
        )
        alarm = providers.Factory(Alarm, clock=gateways.clock)

    services = Services()
    assert services.gateways.number() == 3
    assert "Services.gateways.clock" in message_of(Error, services.check_dependencies)
    assert "Services.gateways.clock" in message_of(Error, services.alarm)
    services.gateways.override(providers.DependenciesContainer(clock=providers.Singleton(Noon)))
    assert services.alarm().clock.now() == "noon"
    return services


def program_the_old_name_of_dependency():
    clock = providers.ExternalDependency(instance_of=Clock)
    clock.override(providers.Factory(Noon))
    assert clock().now() == "noon"


def program_names_are_told_from_the_top():
    house = House()
    assert house.bedroom.clock.parent_name == "House.bedroom.clock"
    assert house.bedroom.parent_name == "House.bedroom"
    assert house.parent_name == House.parent_name == "House"
    assert house.resolve_provider_name(house.clock) == "clock"
    assert House.resolve_provider_name(House.clock) == "clock"
    assert "name" in message_of(Error, house.resolve_provider_name, providers.Object(1))
    return house
