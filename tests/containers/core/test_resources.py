"""Resources: every kind of target, before a start, inside one, and after it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Self

import pytest
from dependency_injector import containers as plain_containers
from dependency_injector import providers as plain
from dependency_injector import resources

from containers import DeclarativeContainer, DynamicContainer, providers
from containers.errors import LifecycleError

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


def function(*_needs: Any) -> str:
    LOG.append("+")
    return "object"


def generator(*_needs: Any) -> Iterator[str]:
    LOG.append("+")
    yield "object"
    LOG.append("-")


@contextmanager
def context(*_needs: Any) -> Iterator[str]:
    LOG.append("+")
    yield "object"
    LOG.append("-")


class Context:
    def __enter__(self) -> str:
        LOG.append("+")
        return "object"

    def __exit__(self, *_: object) -> None:
        LOG.append("-")


class Classic(resources.Resource[str]):
    def init(self) -> str:
        LOG.append("+")
        return "object"

    def shutdown(self, resource: str | None) -> None:
        LOG.append("-")


async def coroutine(*_needs: Any) -> str:
    LOG.append("+")
    return "object"


async def async_generator(*_needs: Any) -> AsyncIterator[str]:
    LOG.append("+")
    yield "object"
    LOG.append("-")


@asynccontextmanager
async def async_context(*_needs: Any) -> AsyncIterator[str]:
    LOG.append("+")
    yield "object"
    LOG.append("-")


class AsyncContext:
    async def __aenter__(self) -> str:
        LOG.append("+")
        return "object"

    async def __aexit__(self, *_: object) -> None:
        LOG.append("-")


class AsyncClassic(resources.AsyncResource[str]):
    async def init(self) -> str:
        LOG.append("+")
        return "object"

    async def shutdown(self, resource: str | None) -> None:
        LOG.append("-")


def hidden_coroutine() -> Any:
    return coroutine()


def hidden_context() -> Any:
    return AsyncContext()


SYNC = [function, generator, context, Context, Classic]
ASYNC = [
    coroutine,
    async_generator,
    async_context,
    AsyncContext,
    AsyncClassic,
    hidden_coroutine,
    hidden_context,
    partial(async_generator, 1),
]
ENDLESS = {function, coroutine, hidden_coroutine}


def began_and_ended_once(target: Any) -> bool:
    return LOG[:1] == ["+"] and LOG[1:] == ([] if target in ENDLESS else ["-"])


def container_of(target: Any, *args: Any, **kwargs: Any) -> Any:
    container = DynamicContainer()
    container.thing = providers.Resource(target, *args, **kwargs)
    return container


def name(target: Any) -> str:
    return str(getattr(target, "__name__", "partial"))


@pytest.mark.parametrize("target", [*SYNC, *ASYNC], ids=name)
async def test_a_started_resource_hands_out_the_object_and_ends_with_the_container(target: Any):
    async with container_of(target) as container:
        assert container.thing() == container.thing() == "object"
    assert began_and_ended_once(target)


@pytest.mark.parametrize("target", SYNC, ids=name)
def test_a_sync_resource_begins_when_first_asked_for(target: Any):
    container = container_of(target)
    assert LOG == []
    assert container.thing() == container.thing() == "object"
    container.thing.shutdown()
    assert began_and_ended_once(target)


@pytest.mark.parametrize("target", SYNC, ids=name)
def test_a_plain_with_starts_and_ends_sync_resources(target: Any):
    with container_of(target):
        assert LOG == ["+"]
    assert began_and_ended_once(target)


@pytest.mark.parametrize("target", ASYNC, ids=name)
def test_asking_an_async_resource_before_a_start_says_what_to_do(target: Any):
    class Shop(DeclarativeContainer):
        db = providers.Resource(target)
        user: Any = providers.Factory(list, db)

    for ask in (Shop().db, Shop().user):
        with pytest.raises(LifecycleError, match=r"resource 'db'.* is not started") as caught:
            ask()
        assert "async with container:" in caught.value.hint
        assert "await container.aget('db')" in caught.value.hint
    assert LOG == []


async def test_the_error_names_the_dotted_path_and_the_place_of_the_target():
    class Part(DeclarativeContainer):
        db = providers.Resource(async_generator)

    class Whole(DeclarativeContainer):
        part = providers.Container(Part)

    container = Whole()
    async with container:
        pass
    with pytest.raises(LifecycleError, match=r"'part\.db' \(.*test_resources\.py:\d+\)"):
        container.part.db()


@pytest.mark.parametrize("target", ASYNC, ids=name)
def test_a_plain_with_refuses_an_async_resource_by_name(target: Any):
    with pytest.raises(LifecycleError, match="thing"), container_of(target):
        pass
    assert LOG == []


@pytest.mark.parametrize("target", [*SYNC, *ASYNC], ids=name)
async def test_aget_starts_what_is_not_started_and_stop_ends_it(target: Any):
    container = container_of(target)
    assert await container.aget("thing") == await container.aget("thing") == "object"
    assert container.thing() == "object"
    await container.stop()
    assert began_and_ended_once(target)


async def test_aget_starts_the_resources_on_the_way_dependencies_first():
    def of(*needs: Any) -> Any:
        return needs

    class Shop(DeclarativeContainer):
        pool = providers.Resource(async_generator)
        table = providers.Resource(of, pool)
        service = providers.Factory(of, providers.Singleton(of, table))

    container = Shop()
    assert await container.aget("service") == ((("object",),),)
    await container.stop()
    assert LOG == ["+", "-"]


async def test_64_tasks_start_it_once():
    container = container_of(async_generator)
    got = await asyncio.gather(*(container.aget("thing") for _ in range(64)))
    assert set(got) == {"object"}
    assert LOG == ["+"]
    await container.stop()


def test_64_threads_start_it_once():
    container = container_of(generator)
    together = threading.Barrier(64)

    def ask(_: int) -> Any:
        together.wait()
        return container.thing()

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(ask, range(64))) == {"object"}
    assert LOG == ["+"]
    container.thing.shutdown()


async def test_a_failed_start_can_be_tried_again():
    answers = iter([ConnectionError("refused"), "object"])

    async def target() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    container = container_of(target)
    with pytest.raises(ConnectionError):
        await container.aget("thing")
    assert await container.aget("thing") == "object"


async def test_a_cancelled_waiter_poisons_nothing():
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def target() -> str:
        reached.set()
        await go_on.wait()
        return "object"

    container = container_of(target)
    first, second = (asyncio.create_task(container.aget("thing")) for _ in range(2))
    await reached.wait()
    first.cancel()
    await asyncio.wait({first})
    go_on.set()
    assert await second == "object"


async def test_when_the_last_waiter_is_cancelled_what_was_begun_is_undone():
    reached = asyncio.Event()

    async def target() -> AsyncIterator[str]:
        try:
            reached.set()
            await asyncio.Event().wait()
            yield "object"
        finally:
            LOG.append("undone")

    container = container_of(target)
    task = asyncio.create_task(container.aget("thing"))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["undone"]
    assert not container.thing.initialized


async def test_a_stop_meanwhile_cancels_what_begins():
    reached = asyncio.Event()

    async def target() -> AsyncIterator[str]:
        reached.set()
        await asyncio.Event().wait()
        yield "object"

    container = container_of(target)
    task = asyncio.create_task(container.aget("thing"))
    await reached.wait()
    await container.stop()
    with pytest.raises(LifecycleError, match="the start of 'thing' was cancelled"):
        await task


async def test_a_generator_begins_and_ends_in_one_task_and_context():
    current: ContextVar[str] = ContextVar("current")
    tasks: list[Any] = []

    async def target() -> AsyncIterator[str]:
        token = current.set("inside")
        async with asyncio.TaskGroup():
            tasks.append(asyncio.current_task())
            yield "object"
            tasks.append(asyncio.current_task())
        current.reset(token)

    async with container_of(target):
        pass
    assert tasks[0] is tasks[1]


def test_an_event_loop_that_ends_without_a_stop_ends_the_object():
    container = container_of(async_generator)
    asyncio.run(container.start())
    assert LOG == ["+", "-"]
    with pytest.raises(LifecycleError, match="is not started"):
        container.thing()


def test_a_container_starts_again_in_another_event_loop():
    container = container_of(async_generator)
    asyncio.run(container.start())
    asyncio.run(container.start())
    assert LOG == ["+", "-", "+", "-"]


def test_the_object_of_a_running_loop_is_ended_from_another_thread():
    container = container_of(async_generator)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(container.start(), loop).result(5)
    asyncio.run(container.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert LOG == ["+", "-"]


async def test_an_object_that_could_be_awaited_is_handed_out_as_it_is():
    class Pool:
        """Like the pools of database drivers: to be awaited, or entered."""

        def __await__(self) -> Any:
            raise AssertionError("awaited")

        async def __aenter__(self) -> Self:
            LOG.append("+")
            return self

        async def __aexit__(self, *_: object) -> None:
            LOG.append("-")

    async with container_of(Pool) as container:
        assert isinstance(container.thing(), Pool)
    assert LOG == ["+", "-"]


@pytest.mark.parametrize(
    "provider", [providers.Resource, providers.Managed], ids=lambda one: one.__name__
)
def test_the_keywords_are_ours_unless_the_target_takes_them(provider: Any):
    def target(phase: int = 0, **_options: Any) -> int:
        return phase

    thing = provider(target, start_timeout=3, stop_timeout=4, phase=5)
    copied = plain.deepcopy(thing)
    assert (copied.start_timeout, copied.stop_timeout, copied.phase) == (3.0, 4.0, 0)
    assert copied() == 5


def test_the_keywords_of_a_resource_class_are_those_of_its_init():
    class Delayed(resources.Resource[float]):
        def init(self, start_timeout: float) -> float:
            return start_timeout

    assert container_of(Delayed, start_timeout=7.0).thing() == 7.0


def test_a_resource_is_one_of_dependency_injectors():
    thing = providers.Resource(generator)
    assert isinstance(thing, plain.Resource)
    assert isinstance(thing, plain.BaseResource)


def test_a_resource_that_has_begun_is_not_copied():
    class Shop(DeclarativeContainer):
        thing = providers.Resource(generator)

    Shop.thing()
    with pytest.raises(Exception, match="Can not copy initialized resource"):
        Shop()
    Shop.thing.shutdown()


def test_compiled_plans_let_go_of_an_object_that_has_ended():
    numbers = iter(range(9))

    def target() -> Iterator[int]:
        yield next(numbers)

    class Shop(DeclarativeContainer):
        thing = providers.Resource(target)
        user = providers.Factory(lambda thing: thing, thing)

    container = Shop()
    for number in range(2):
        assert [container.user() for _ in range(4)] == [number] * 4
        assert [container.thing() for _ in range(4)] == [number] * 4
        container.shutdown_resources()


def test_overriding_replaces_it_and_what_was_built_of_it():
    class Shop(DeclarativeContainer):
        url = providers.Object("real")
        thing = providers.Resource(lambda url: url, url)
        service = providers.Singleton(lambda thing: f"on {thing}", thing)

    container = Shop()
    assert container.service() == "on real"
    with container.override({"url": "fake"}):
        assert container.thing() == "fake"
        assert container.service() == "on fake"
    with container.override({"thing": "other"}):
        assert container.service() == "on other"
    assert (container.thing(), container.service()) == ("real", "on real")


async def test_what_began_under_an_override_is_ended_by_the_next_stop():
    async def target(url: str) -> AsyncIterator[str]:
        LOG.append(f"+{url}")
        yield url
        LOG.append(f"-{url}")

    class Shop(DeclarativeContainer):
        url = providers.Object("real")
        thing = providers.Resource(target, url)

    async with Shop() as container:
        with container.override({"url": "fake"}):
            assert await container.aget("thing") == "fake"
        assert container.thing() == "real"
    assert LOG == ["+real", "+fake", "-fake", "-real"]


async def test_an_async_stand_in_begins_with_aget_and_is_ended_by_the_next_stop():
    class Shop(DeclarativeContainer):
        thing = providers.Resource(lambda: "real")
        service = providers.Factory(lambda thing: f"on {thing}", thing)

    async with Shop() as container:
        with container.override({"thing": providers.Resource(async_generator)}):
            assert await container.aget("service") == "on object"
    assert LOG == ["+", "-"]


# dependency-injector's own way: init_resources and shutdown_resources


def test_init_resources_gives_none_where_nothing_must_be_awaited():
    container = container_of(generator)
    assert container.init_resources() is None
    assert container.thing() == "object"
    assert container.shutdown_resources() is None
    assert LOG == ["+", "-"]


@pytest.mark.parametrize("target", ASYNC, ids=name)
async def test_init_resources_gives_an_awaitable_where_one_must_be_awaited(target: Any):
    container = container_of(target)
    await container.init_resources()
    assert container.thing() == "object"
    await container.shutdown_resources()
    assert began_and_ended_once(target)
    assert not container.thing.initialized


async def test_one_resource_can_be_begun_and_ended_alone():
    thing = providers.Resource(async_generator)
    assert await thing.init() == await thing.init() == "object"
    assert await thing.async_() == thing() == "object"
    await thing.shutdown()
    await thing.shutdown()
    assert LOG == ["+", "-"]


def both(kind: str) -> Callable[..., Any]:
    """A target that logs its number, sync or async."""

    def sync(number: int, *_needs: Any, fails: bool = False) -> Iterator[int]:
        LOG.append(f"+{number}")
        yield number
        LOG.append(f"-{number}")
        if fails:
            raise ConnectionError(str(number))

    async def asynchronous(number: int, *_needs: Any, fails: bool = False) -> AsyncIterator[int]:
        LOG.append(f"+{number}")
        yield number
        LOG.append(f"-{number}")
        if fails:
            raise ConnectionError(str(number))

    return sync if kind == "sync" else asynchronous


async def settled(result: Any) -> None:
    if result is not None:
        await result


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_shutdown_resources_ends_every_one_although_one_fails(kind: str, failing: int):
    container = DynamicContainer()
    for number in range(3):
        need = (getattr(container, f"r{number - 1}"),) if number else ()
        resource = providers.Resource(both(kind), number, *need, fails=number == failing)
        setattr(container, f"r{number}", resource)
    await settled(container.init_resources())
    with pytest.raises(ConnectionError, match=str(failing)):
        await settled(container.shutdown_resources())
    assert LOG == ["+0", "+1", "+2", "-2", "-1", "-0"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_init_resources_ends_again_what_it_began_when_one_fails(kind: str):
    def refuse(_need: Any) -> None:
        raise ConnectionError("refused")

    container = DynamicContainer()
    container.first = providers.Resource(both(kind), 1)
    container.second = providers.Resource(refuse, container.first)
    with pytest.raises(ConnectionError, match="refused"):
        await settled(container.init_resources())
    assert LOG == ["+1", "-1"]


async def test_only_resources_of_the_asked_type_are_initialized():
    class Early(providers.Resource[Any]):
        pass

    container = DynamicContainer()
    container.early = Early(both("sync"), 1)
    container.late = providers.Resource(both("sync"), 2)
    container.init_resources(Early)
    assert LOG == ["+1"]
    container.shutdown_resources(Early)
    assert LOG == ["+1", "-1"]
    with pytest.raises(TypeError):
        container.init_resources(int)


def test_an_overridden_resource_is_not_initialized():
    container = container_of(generator)
    with container.override({"thing": "fake"}):
        container.init_resources()
        assert container.thing.init() == "fake"
    assert LOG == []


def test_resources_of_both_libraries_work_in_a_container_of_dependency_injector():
    class Plain(plain_containers.DeclarativeContainer):
        ours = providers.Resource(both("sync"), 1)
        theirs = plain.Resource(both("sync"), 2, ours)

    container = Plain()
    container.init_resources()
    container.shutdown_resources()
    assert LOG == ["+1", "+2", "-2", "-1"]
