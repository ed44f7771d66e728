"""Each row of the table "Different on purpose" in docs/migration.md."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from dependency_injector import containers as plain_containers
from dependency_injector import providers as plain
from dependency_injector.wiring import Provide
from dependency_injector.wiring import inject as plain_inject

import containers
from containers import DeclarativeContainer, inject, providers
from containers.errors import LifecycleError, ValidationError, WiringError


class Engine:
    pass


class Car:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine


async def assembled() -> Engine:
    await asyncio.sleep(0)
    return Engine()


async def leased() -> AsyncIterator[Engine]:
    yield Engine()


class Async(DeclarativeContainer):
    engine = providers.Singleton(assembled)
    car: Any = providers.Factory(Car, engine)


class Leased(DeclarativeContainer):
    engine = providers.Resource(leased)
    car: Any = providers.Factory(Car, engine)


async def test_a_started_async_resource_hands_out_its_object():
    async with Leased() as container:
        assert isinstance(container.engine(), Engine)
        assert container.car().engine is container.engine()


async def test_an_async_resource_that_is_not_started_says_so():
    with pytest.raises(LifecycleError, match=r"'engine'.*is not started.*async with"):
        Leased().engine()


async def test_init_resources_starts_an_async_resource_as_it_did():
    container = Leased()
    await container.init_resources()
    assert container.car().engine is container.engine()
    await container.shutdown_resources()


async def test_what_must_be_awaited_is_told_by_the_declaration():
    container = Async()
    with container.engine.override(Engine()):
        assert isinstance((await container.car()).engine, Engine)
    assert isinstance((await container.car()).engine, Engine)

    class Plain(plain_containers.DeclarativeContainer):
        engine = plain.Singleton(assembled)
        car = plain.Factory(Car, engine)

    latched = Plain()
    with latched.engine.override(Engine()):
        latched.car()
    assert asyncio.isfuture(latched.car().engine)


async def test_a_cancelled_waiter_leaves_an_async_singleton_to_the_others():
    container = Async()
    waiter = asyncio.ensure_future(container.engine())
    await asyncio.sleep(0)
    waiter.cancel()
    assert isinstance(await container.engine(), Engine)


def test_a_singleton_is_made_once_by_many_threads():
    started = threading.Barrier(8)
    made: list[Engine] = []

    def make() -> Engine:
        made.append(Engine())
        return made[-1]

    engine = providers.Singleton(make)

    def ask() -> None:
        started.wait()
        engine()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


@pytest.mark.parametrize(("kind", "calls"), [(providers, 1), (plain, 2)])
def test_a_singleton_of_none_is_made_once(kind: Any, calls: int):
    asked: list[int] = []
    nothing = kind.Singleton(lambda: asked.append(1))
    assert nothing() is nothing() is None
    assert len(asked) == calls


def test_a_marker_that_nothing_fills_is_an_error():
    container = Async()

    @inject
    def start(engine: Engine = Provide["no_such_engine"]) -> Engine:
        return engine

    with pytest.raises(WiringError, match=r"test_differences.py:\d+.*no_such_engine"):
        container.wire(modules=[__name__])
    with pytest.raises(WiringError, match="no_such_engine"):
        start()


def test_a_bare_wire_wires_every_injected_function():
    class Garage(DeclarativeContainer):
        garage_engine = providers.Singleton(Engine)

    container = Garage()

    @inject
    def start(engine: Engine = Provide[Garage.garage_engine]) -> Engine:
        return engine

    container.wire()
    assert start() is container.garage_engine()
    container.unwire()


def test_unwiring_gives_the_functions_back_to_who_had_them():
    class Garage(DeclarativeContainer):
        spare_engine = providers.Singleton(Engine)

    @inject
    def start(engine: Engine = Provide["spare_engine"]) -> Engine:
        return engine

    first, second = Garage().wire(modules=[__name__]), Garage().wire(modules=[__name__])
    assert start() is second.spare_engine()
    second.unwire()
    assert start() is first.spare_engine()
    first.unwire()


def test_injected_arguments_may_be_given_by_position():
    class Garage(DeclarativeContainer):
        engine = providers.Singleton(Engine)

    container, own = Garage(), Engine()

    @inject
    def start(engine: Engine = Provide[Garage.engine]) -> Engine:
        return engine

    container.wire()
    assert start(own) is own
    container.unwire()


def test_a_failing_body_is_seen_by_the_end_of_what_it_was_given():
    ends: list[str] = []

    def opened() -> Iterator[str]:
        try:
            yield "session"
            ends.append("committed")
        except RuntimeError:
            ends.append("rolled back")
            raise

    class Database(DeclarativeContainer):
        session = providers.Scoped(opened)

    container = Database()
    with pytest.raises(RuntimeError), container.scope() as scope:
        scope.get("session")
        raise RuntimeError
    assert ends == ["rolled back"]


def test_our_kinds_are_found_as_theirs_but_not_the_other_way_round():
    class Mixed(DeclarativeContainer):
        ours = providers.Singleton(Engine)
        theirs = plain.Singleton(Engine)

    container = Mixed()
    assert set(container.traverse(types=[plain.Singleton])) == {container.ours, container.theirs}
    assert set(container.traverse(types=[providers.Singleton])) == {container.ours}


def test_the_name_container_is_the_root_container():
    assert issubclass(containers.Container, DeclarativeContainer)
    assert containers.Container is not plain_containers.Container
    assert plain_containers.is_container(Async)


def test_a_provider_hides_a_method_of_its_name():
    class Busy(DeclarativeContainer):
        scope: Any = providers.Object("a telescope")
        request = providers.Scoped(Engine)

    container = Busy()
    assert container.scope() == "a telescope"
    with containers.scope(container):
        assert isinstance(container.request(), Engine)


def test_start_refuses_a_declaration_that_cannot_work():
    class Wrong(DeclarativeContainer):
        car = providers.Singleton(Car)

    with pytest.raises(ValidationError, match="needs 'engine'"), Wrong():
        raise AssertionError


def test_overrides_have_a_way_out():
    container = Async()

    class Fakes(DeclarativeContainer):
        engine = providers.Singleton(assembled)

    for active in (container.override(Fakes()), Async.override(Fakes)):
        active.undo()
    assert container.overridden == Async.overridden == ()


def test_dependency_injectors_own_inject_needs_its_modules_named():
    class Garage(DeclarativeContainer):
        engine = providers.Singleton(Engine)

    container = Garage()
    start: Callable[..., Any] = plain_inject(_start(Garage.engine))
    container.wire()
    assert type(start()).__name__ == "Provide"
    container.unwire()


def _start(provider: Any) -> Callable[..., Any]:
    def start(engine: Any = Provide[provider]) -> Any:
        return engine

    return start
