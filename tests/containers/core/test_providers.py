"""Singletons are made once, by whoever; async is told from definitions."""

import asyncio
import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from containers import DeclarativeContainer, providers


def test_64_threads_get_one_object():
    made: list[object] = []
    start = threading.Barrier(64)

    def make() -> object:
        made.append(object())
        return made[-1]

    class Container(DeclarativeContainer):
        thing = providers.Singleton(make)

    container = Container()

    def ask() -> object:
        start.wait()
        return container.thing()

    with ThreadPoolExecutor(64) as pool:
        found = {id(one.result()) for one in [pool.submit(ask) for _ in range(64)]}
    assert len(found) == len(made) == 1


async def test_64_tasks_get_one_object_of_a_coroutine_function():
    made: list[object] = []

    async def build() -> object:
        await asyncio.sleep(0)
        made.append(object())
        return made[-1]

    class Container(DeclarativeContainer):
        thing = providers.Singleton(build)

    container = Container()
    found = await asyncio.gather(*(container.aget("thing") for _ in range(64)))
    assert len({id(one) for one in found}) == len(made) == 1


async def test_a_cancelled_waiter_poisons_nothing():
    release = asyncio.Event()

    async def build() -> str:
        await release.wait()
        return "built"

    class Container(DeclarativeContainer):
        thing = providers.Singleton(build)

    container = Container()
    leader = asyncio.create_task(container.aget("thing"))
    follower = asyncio.create_task(container.aget("thing"))
    await asyncio.sleep(0)
    leader.cancel()
    release.set()
    assert await follower == "built"
    assert await container.thing() == "built"


async def test_a_failed_build_is_tried_again():
    attempts: list[int] = []

    async def build() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError("not yet")
        return "built"

    class Container(DeclarativeContainer):
        thing = providers.Singleton(build)

    container = Container()
    with pytest.raises(ConnectionError):
        await container.thing()
    assert await container.thing() == "built"


def test_none_is_an_object_too():
    calls: list[int] = []

    class Container(DeclarativeContainer):
        nothing = providers.Singleton(lambda: calls.append(1))

    container = Container()
    assert container.nothing() is container.nothing() is None
    assert len(calls) == 1


def test_reset_makes_a_new_one():
    class Container(DeclarativeContainer):
        thing = providers.Singleton(object)

    container = Container()
    before = container.thing()
    container.reset_singletons()
    assert container.thing() is not before


def test_containers_of_one_class_share_nothing():
    class Container(DeclarativeContainer):
        thing = providers.Singleton(object)

    assert Container().thing() is not Container().thing()


async def test_a_dependant_of_an_async_object_is_async_too():
    async def make_name() -> str:
        return "name"

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    class Container(DeclarativeContainer):
        name = providers.Singleton(make_name)
        named = providers.Singleton(Named, name=name)

    container = Container()
    first = await container.named()
    assert first.name == "name"
    assert await container.named() is first


def test_two_slow_singletons_are_built_side_by_side():
    together = threading.Barrier(2, timeout=5)

    class Container(DeclarativeContainer):
        one = providers.Singleton(together.wait)
        two = providers.Singleton(together.wait)

    container = Container()
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(container.one), pool.submit(container.two)]
        assert sorted(one.result() for one in found) == [0, 1]


def test_a_group_is_copied_with_its_providers():
    group = providers.Group()
    group.providers["one"] = providers.Object(1)
    assert copy.deepcopy(group)() == {"one": 1}
    with pytest.raises(AttributeError, match="no instance 'two'; configured: one"):
        _ = group.two


async def test_an_async_object_given_to_a_part_is_awaited_there():
    async def make_name() -> str:
        return "name"

    class Part(DeclarativeContainer):
        name: providers.Dependency[str] = providers.Dependency()
        names: providers.Singleton[tuple[str, ...]] = providers.Singleton(lambda *a: a, name)

    class Container(DeclarativeContainer):
        name = providers.Singleton(make_name)
        part = providers.Container(Part, name=name)

    container = Container()
    assert await container.aget("part.names") == ("name",)
    assert await container.part.names() is await container.part.names()


def test_a_reset_while_others_ask_disturbs_nobody():
    class Container(DeclarativeContainer):
        thing = providers.Singleton(object)

    container = Container()
    with ThreadPoolExecutor(2) as pool:
        asking = pool.submit(lambda: [container.thing() for _ in range(5000)])
        while not asking.done():
            container.thing.reset()
        assert len(asking.result()) == 5000


def test_the_declared_port_goes_with_the_copy():
    class Container(DeclarativeContainer):
        thing = providers.Singleton(object)

    Container.thing.port = dict
    assert Container().thing.port is dict


def test_a_managed_target_may_be_named_by_its_path():
    managed: providers.Managed[Any] = providers.Managed("collections.OrderedDict", start_timeout=3)
    assert managed.start_timeout == 3.0
    assert managed() == {}
