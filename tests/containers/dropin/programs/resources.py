"""Resources: what has a beginning and an end."""

import contextvars
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from dependency_injector import containers, providers, resources
from dependency_injector.errors import Error


class Pump:
    def __init__(self, power: int = 1) -> None:
        self.power = power
        self.is_running = True


class Fountain:
    def __init__(self, pump: Pump) -> None:
        self.pump = pump


class PumpResource(resources.Resource[Pump]):
    def init(self, power: int = 1) -> Pump:
        return Pump(power)

    def shutdown(self, resource: Pump | None) -> None:
        assert resource is not None
        resource.is_running = False


class AsyncPumpResource(resources.AsyncResource[Pump]):
    async def init(self, power: int = 1) -> Pump:
        return Pump(power)

    async def shutdown(self, resource: Pump | None) -> None:
        assert resource is not None
        resource.is_running = False


def generated(power: int = 1) -> Iterator[Pump]:
    pump = Pump(power)
    yield pump
    pump.is_running = False


async def generated_async(power: int = 1) -> AsyncIterator[Pump]:
    pump = Pump(power)
    yield pump
    pump.is_running = False


@contextmanager
def managed(power: int = 1) -> Iterator[Pump]:
    pump = Pump(power)
    yield pump
    pump.is_running = False


@asynccontextmanager
async def managed_async(power: int = 1) -> AsyncIterator[Pump]:
    pump = Pump(power)
    yield pump
    pump.is_running = False


async def plain_coroutine(power: int = 1) -> Pump:
    return Pump(power)


class Garden(containers.DeclarativeContainer):
    by_function = providers.Resource(Pump, 1)
    by_class = providers.Resource(PumpResource, power=2)
    by_generator = providers.Resource(generated, 3)
    by_context = providers.Resource(managed, power=4)
    fountain = providers.Factory(Fountain, by_generator)


class AsyncGarden(containers.DeclarativeContainer):
    by_class = providers.Resource(AsyncPumpResource, power=2)
    by_generator = providers.Resource(generated_async, 3)
    by_context = providers.Resource(managed_async, power=4)
    by_coroutine = providers.Resource(plain_coroutine, 5)
    fountain = providers.Factory(Fountain, by_generator)


def program_every_form_is_initialized_and_shut_down():
    garden = Garden()
    assert garden.init_resources() is None
    pumps = [garden.by_function(), garden.by_class(), garden.by_generator(), garden.by_context()]
    assert [pump.power for pump in pumps] == [1, 2, 3, 4]
    assert garden.fountain().pump is pumps[2]
    assert all(pump.is_running for pump in pumps)
    garden.shutdown_resources()
    assert [pump.is_running for pump in pumps] == [True, False, False, False]
    return garden


def program_a_resource_is_made_when_first_asked_for():
    garden = Garden()
    assert not garden.by_generator.initialized
    pump = garden.by_generator()
    assert garden.by_generator.initialized
    assert garden.by_generator() is pump
    assert garden.by_generator.init() is pump
    garden.by_generator.shutdown()
    assert not garden.by_generator.initialized
    assert not pump.is_running
    assert garden.by_generator() is not pump
    return garden


async def program_every_async_form_is_initialized_and_shut_down():
    garden = AsyncGarden()
    await garden.init_resources()
    pumps = [
        await garden.by_class(),
        await garden.by_generator(),
        await garden.by_context(),
        await garden.by_coroutine(),
    ]
    assert [pump.power for pump in pumps] == [2, 3, 4, 5]
    fountain = await garden.fountain()
    assert fountain.pump is pumps[1]
    await garden.shutdown_resources()
    assert [pump.is_running for pump in pumps] == [False, False, False, True]
    return garden


async def program_an_async_resource_is_made_when_first_asked_for():
    garden = AsyncGarden()
    fountain = await garden.fountain()
    assert fountain.pump is await garden.by_generator()
    await garden.by_generator.shutdown()
    assert not fountain.pump.is_running
    return garden


async def program_sync_and_async_resources_together():
    class Both(containers.DeclarativeContainer):
        first = providers.Resource(generated, 1)
        second = providers.Resource(generated_async, 2)
        fountain = providers.Factory(Fountain, second)

    both = Both()
    await both.init_resources()
    first, second = both.first(), await both.second()
    assert (await both.fountain()).pump is second
    await both.shutdown_resources()
    assert (first.is_running, second.is_running) == (False, False)
    return both


def program_resources_depend_on_resources():
    ended: list[str] = []

    def lower() -> Iterator[str]:
        yield "lower"
        ended.append("lower")

    def upper(on: str) -> Iterator[str]:
        yield f"upper on {on}"
        ended.append("upper")

    class Tower(containers.DeclarativeContainer):
        base = providers.Resource(lower)
        top = providers.Resource(upper, base)

    tower = Tower()
    tower.init_resources()
    assert tower.top() == "upper on lower"
    tower.shutdown_resources()
    assert ended == ["upper", "lower"]
    return tower


async def program_async_resources_depend_on_resources():
    ended: list[str] = []

    async def lower() -> AsyncIterator[str]:
        yield "lower"
        ended.append("lower")

    async def upper(on: str) -> AsyncIterator[str]:
        yield f"upper on {on}"
        ended.append("upper")

    class Tower(containers.DeclarativeContainer):
        base = providers.Resource(lower)
        top = providers.Resource(upper, base)

    tower = Tower()
    await tower.init_resources()
    assert await tower.top() == "upper on lower"
    await tower.shutdown_resources()
    assert ended == ["upper", "lower"]
    return tower


def program_resources_of_parts_are_reached():
    class Park(containers.DeclarativeContainer):
        garden = providers.Container(Garden)
        own = providers.Resource(generated, 9)

    park = Park()
    park.init_resources()
    inner, own = park.garden.by_class(), park.own()
    park.shutdown_resources()
    assert (inner.is_running, own.is_running) == (False, False)
    return park


def program_resources_can_be_sorted_by_kind():
    class Wet(providers.Resource):
        pass

    class Park(containers.DeclarativeContainer):
        dry = providers.Resource(generated)
        wet = Wet(generated)

    park = Park()
    park.init_resources(Wet)
    assert (park.dry.initialized, park.wet.initialized) == (False, True)
    park.init_resources()
    park.shutdown_resources(resource_type=Wet)
    assert (park.dry.initialized, park.wet.initialized) == (True, False)
    park.shutdown_resources()
    assert not park.dry.initialized
    return park


def program_a_context_local_resource():
    class Park(containers.DeclarativeContainer):
        pump = providers.ContextLocalResource(generated)
        fountain = providers.Factory(Fountain, pump)

    park = Park()
    mine = park.pump()
    assert park.fountain().pump is mine
    other = contextvars.Context()
    theirs = other.run(park.pump)
    assert theirs is not mine
    park.pump.shutdown()
    assert (mine.is_running, theirs.is_running) == (False, True)
    other.run(park.pump.shutdown)
    assert not theirs.is_running
    return park


def program_a_failed_beginning_can_be_tried_again():
    tries: list[int] = []

    def uncertain() -> Pump:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("no water")
        return Pump()

    resource = providers.Resource(uncertain)
    try:
        resource.init()
    except RuntimeError as error:
        assert str(error) == "no water"
    assert not resource.initialized
    assert resource.init().is_running


def program_injections_of_a_resource_can_be_changed():
    resource = providers.Resource(generated).add_kwargs(power=6)
    assert resource().power == 6
    resource.shutdown()
    resource.set_args(7).clear_kwargs()
    assert resource().power == 7
    resource.shutdown()
    resource.set_provides(Pump)
    assert resource().power == 7


def program_an_overridden_resource_stands_aside():
    garden = Garden()
    with garden.by_generator.override(Pump(99)):
        assert garden.fountain().pump.power == 99
    assert garden.fountain().pump.power == 3
    garden.shutdown_resources()
    return garden


def program_a_copy_of_a_started_resource_is_refused():
    garden = Garden()
    garden.init_resources()
    try:
        providers.deepcopy(garden.by_generator)
    except Error:
        garden.shutdown_resources()
        return garden
    raise AssertionError


def program_a_resource_of_none_is_a_side_effect():
    done: list[str] = []

    class Program(containers.DeclarativeContainer):
        config = providers.Configuration(default={"level": "low"})
        logging = providers.Resource(done.append, config.level)

    program = Program()
    program.init_resources()
    program.init_resources()
    assert done == ["low"]
    assert program.logging() is None
    return program


def program_provided_of_a_resource():
    class Park(containers.DeclarativeContainer):
        pump = providers.Resource(generated, 5)
        power = providers.Callable(str, pump.provided.power)

    park = Park()
    assert park.power() == "5"
    park.shutdown_resources()
    return park


def program_a_resource_inside_a_singleton():
    class Park(containers.DeclarativeContainer):
        pump = providers.Resource(generated, 5)
        fountain = providers.Singleton(Fountain, pump)

    park = Park()
    fountain: Any = park.fountain()
    assert fountain is park.fountain()
    assert fountain.pump is park.pump()
    park.shutdown_resources()
    assert not fountain.pump.is_running
    return park
