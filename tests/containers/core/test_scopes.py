"""Scopes: one object each, ended in reverse, whatever happens."""

import asyncio
import contextlib
import contextvars
import gc
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import pytest

from containers import DeclarativeContainer, Scope, providers
from containers.core.scopes import current_scope
from containers.errors import (
    ContainerError,
    NoActiveScopeError,
    UnknownProviderError,
    ValidationError,
)

Log = list[str]


class Session:
    """Something that lives as long as a scope."""


def session(log: Log) -> Iterator[Session]:
    log.append("open")
    try:
        yield Session()
        log.append("commit")
    except BaseException as error:
        log.append(f"rollback {type(error).__name__}")
        raise
    finally:
        log.append("close")


async def async_session(log: Log) -> AsyncIterator[Session]:
    log.append("open")
    try:
        yield Session()
        log.append("commit")
    except BaseException as error:
        log.append(f"rollback {type(error).__name__}")
        raise
    finally:
        log.append("close")


class Repository:
    def __init__(self, session: Session) -> None:
        self.session = session


class Container(DeclarativeContainer):
    log: providers.Singleton[Log] = providers.Singleton(list)
    session = providers.Scoped(session, log)
    async_session = providers.Scoped(async_session, log)
    repository = providers.Factory(Repository, session)
    async_repository = providers.Factory(Repository, async_session)


def test_one_object_in_a_scope_and_another_in_the_next():
    container = Container()
    with container.scope():
        first = container.session()
        assert container.session() is first
    with container.scope():
        assert container.session() is not first


def test_dependants_in_a_scope_share_its_object():
    container = Container()
    with container.scope():
        assert container.repository().session is container.repository().session


def test_a_nested_scope_has_objects_of_its_own_and_leaves_the_outer_ones():
    container = Container()
    with container.scope() as outer:
        mine = container.session()
        with outer.scope():
            assert container.session() is not mine
        assert container.session() is mine


def test_a_scoped_provider_outside_a_scope_is_an_error_that_says_what_to_do():
    with pytest.raises(NoActiveScopeError, match=r"container\.scope\(\)"):
        Container().session()


def test_the_scope_of_another_container_does_not_count():
    with Container().scope(), pytest.raises(NoActiveScopeError):
        Container().session()


def test_the_body_that_ends_well_commits():
    container = Container()
    with container.scope():
        container.session()
    assert container.log() == ["open", "commit", "close"]


def test_the_exception_of_the_body_reaches_the_generator_and_goes_on():
    container = Container()
    with pytest.raises(ZeroDivisionError), container.scope():
        container.session()
        _ = 1 / 0
    assert container.log() == ["open", "rollback ZeroDivisionError", "close"]


async def test_an_async_generator_sees_the_exception_too():
    container = Container()
    with pytest.raises(ZeroDivisionError):
        async with container.scope():
            await container.async_session()
            _ = 1 / 0
    assert container.log() == ["open", "rollback ZeroDivisionError", "close"]


async def test_a_factory_that_needs_an_async_object_gives_an_awaitable():
    container = Container()
    async with container.scope() as scope:
        repository = await container.async_repository()
        assert repository.session is await scope.aget("async_session")


async def test_concurrent_callers_in_one_scope_get_one_async_object():
    container = Container()
    async with container.scope():
        made = await asyncio.gather(*(container.async_session() for _ in range(20)))
    assert len({id(one) for one in made}) == 1
    assert container.log().count("open") == 1


async def test_an_async_provider_in_a_plain_scope_says_how_to_open_it():
    container = Container()
    with container.scope(), pytest.raises(ContainerError, match="async with"):
        await container.async_session()


def test_objects_end_in_reverse_order_of_creation():
    ended: list[str] = []

    def part(name: str, *_: object) -> Iterator[str]:
        yield name
        ended.append(name)

    class Chain(DeclarativeContainer):
        a = providers.Scoped(part, "a")
        b = providers.Scoped(part, "b", a)
        c = providers.Scoped(part, "c", b)

    container = Chain()
    with container.scope():
        container.c()
    assert ended == ["c", "b", "a"]


def test_a_failing_finalizer_does_not_keep_the_others_from_their_turn():
    ended: list[str] = []

    def make_good() -> Iterator[str]:
        yield "good"
        ended.append("good")

    def make_bad() -> Iterator[str]:
        yield "bad"
        raise ValueError("cannot close")

    class Two(DeclarativeContainer):
        good = providers.Scoped(make_good)
        bad = providers.Scoped(make_bad)

    container = Two()
    with pytest.raises(ExceptionGroup) as caught, container.scope():
        container.good()
        container.bad()
    assert ended == ["good"]
    assert [str(error) for error in caught.value.exceptions] == ["cannot close"]


def cannot_close() -> Iterator[str]:
    try:
        yield "bad"
    finally:
        raise ValueError("cannot close")


class Unclosable(DeclarativeContainer):
    bad = providers.Scoped(cannot_close)


def test_the_bodys_error_is_the_cause_of_a_failed_ending():
    container = Unclosable()
    with pytest.raises(ExceptionGroup) as caught, container.scope():
        container.bad()
        raise KeyError("body")
    assert isinstance(caught.value.__cause__, KeyError)


@contextmanager
def managed(log: Log) -> Iterator[str]:
    log.append("enter")
    yield "value"
    log.append("exit")


@asynccontextmanager
async def async_managed(log: Log) -> AsyncIterator[str]:
    log.append("enter")
    yield "value"
    log.append("exit")


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


async def fetch() -> str:
    return "fetched"


class Kinds(DeclarativeContainer):
    log: providers.Singleton[Log] = providers.Singleton(list)
    context = providers.Scoped(managed, log)
    async_context = providers.Scoped(async_managed, log)
    connection = providers.Scoped(Connection)
    coroutine = providers.Scoped(fetch)
    plain = providers.Scoped(object)


async def test_context_manager_factories_are_entered_and_exited():
    container = Kinds()
    async with container.scope():
        assert container.context() == "value"
        assert await container.async_context() == "value"
    assert container.log() == ["enter", "enter", "exit", "exit"]


def test_a_context_manager_class_is_entered_and_exited():
    container = Kinds()
    with container.scope():
        connection = container.connection()
        assert not connection.closed
    assert connection.closed


async def test_a_coroutine_function_is_awaited_once():
    container = Kinds()
    async with container.scope() as scope:
        assert await scope.aget("coroutine") == "fetched"
        assert scope.get("plain") is await scope.aget("plain")


def test_a_generator_that_yields_twice_is_named():
    def make_twice() -> Iterator[int]:
        yield 1
        yield 2

    class One(DeclarativeContainer):
        twice = providers.Scoped(make_twice)

    container = One()
    with pytest.raises(ExceptionGroup) as caught, container.scope():
        container.twice()
    assert "yielded twice" in str(caught.value.exceptions[0])


async def test_concurrent_tasks_have_scopes_of_their_own():
    container = Container()

    async def request() -> object:
        async with container.scope():
            mine = container.session()
            await asyncio.sleep(0)
            assert container.session() is mine
            return mine

    made = await asyncio.gather(*(request() for _ in range(200)))
    assert len({id(one) for one in made}) == 200


def test_threads_do_not_see_each_others_scopes():
    container = Container()
    failures: list[BaseException] = []

    def other() -> None:
        try:
            container.session()
        except NoActiveScopeError as error:
            failures.append(error)

    with container.scope():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(failures) == 1


async def test_a_task_that_outlives_the_scope_is_told_so():
    container = Container()
    ended = asyncio.Event()

    async def straggler() -> None:
        await ended.wait()
        container.session()

    async with container.scope():
        task = asyncio.create_task(straggler())
        await asyncio.sleep(0)
    ended.set()
    with pytest.raises(NoActiveScopeError):
        await task


async def test_cancelling_the_body_rolls_back():
    container = Container()
    inside = asyncio.Event()

    async def request() -> None:
        async with container.scope():
            await container.async_session()
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert container.log() == ["open", "rollback CancelledError", "close"]


async def test_a_cancellation_during_the_ending_skips_nothing():
    ending, release = asyncio.Event(), asyncio.Event()
    log: Log = []

    async def make_slow(_: str) -> AsyncIterator[str]:
        yield "slow"
        ending.set()
        await release.wait()
        log.append("slow ended")

    async def make_first() -> AsyncIterator[str]:
        yield "first"
        log.append("first ended")

    class Two(DeclarativeContainer):
        first = providers.Scoped(make_first)
        slow = providers.Scoped(make_slow, first)

    container = Two()

    async def request() -> None:
        async with container.scope():
            await container.slow()

    task = asyncio.create_task(request())
    await ending.wait()
    task.cancel()
    await asyncio.sleep(0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["slow ended", "first ended"]


async def test_the_ending_runs_in_the_task_that_opened():
    tasks: list[object] = []

    async def make_tracked() -> AsyncIterator[str]:
        tasks.append(asyncio.current_task())
        yield "tracked"
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())

    class One(DeclarativeContainer):
        tracked = providers.Scoped(make_tracked)

    container = One()
    async with container.scope():
        await container.tracked()
    assert tasks[0] is tasks[1] is asyncio.current_task()


def test_the_context_given_to_a_scope_can_be_read_and_not_changed():
    with Container().scope(request_id="r-1") as scope:
        assert scope.context["request_id"] == "r-1"
        with pytest.raises(TypeError):
            scope.context["request_id"] = "r-2"  # type: ignore[index]  # that is the point


def test_a_scope_is_used_once():
    scope = Container().scope()
    with scope:
        pass
    with pytest.raises(ContainerError, match="used already"), scope:
        pass


def test_an_unknown_name_lists_the_known_ones():
    with Container().scope() as scope, pytest.raises(UnknownProviderError, match="Did you mean"):
        scope.get("sesion")


def test_a_scoped_stand_in_lives_in_the_containers_scope():
    container = Container()
    with container.override(session=providers.Scoped(managed, container.log)), container.scope():
        assert container.session() == "value"
    with container.session.override(providers.Scoped(managed, container.log)), container.scope():
        assert container.session() == "value"


def test_a_provider_replaced_by_another_is_known_to_the_scope():
    container = Container()
    with container.scope():
        container.session()
    container.set_provider("session", providers.Scoped(managed, container.log))
    with container.scope():
        assert container.session() == "value"


def test_a_closed_scope_gives_nothing_of_the_outer_one():
    container = Container()
    with container.scope() as outer:
        with outer.scope() as inner:
            pass
        with pytest.raises(NoActiveScopeError):
            inner.get("session")


def test_threads_in_one_scope_get_one_object():
    together = threading.Barrier(2, timeout=5)

    def make_slow() -> object:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(0.05)
        return object()

    class One(DeclarativeContainer):
        slow = providers.Scoped(make_slow)

    container = One()
    with container.scope():
        contexts = [contextvars.copy_context() for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(context.run, container.slow) for context in contexts]
            assert asked[0].result() is asked[1].result()


async def test_what_is_being_made_while_the_scope_ends_is_ended_too():
    making, release = asyncio.Event(), asyncio.Event()
    log: Log = []

    async def make_slow() -> AsyncIterator[str]:
        making.set()
        await release.wait()
        try:
            yield "slow"
        finally:
            log.append("ended")

    class One(DeclarativeContainer):
        slow = providers.Scoped(make_slow)

    container = One()
    async with container.scope():
        task = asyncio.ensure_future(container.slow())
        await making.wait()
    release.set()
    with pytest.raises(NoActiveScopeError):
        await task
    assert log == ["ended"]


def test_a_generator_that_yields_nothing_is_named():
    def make_none() -> Iterator[int]:
        yield from ()

    class One(DeclarativeContainer):
        none = providers.Scoped(make_none)

    container = One()
    with container.scope(), pytest.raises(ContainerError, match=r"make_none' yielded nothing"):
        container.none()


def test_a_stop_iteration_of_the_body_goes_on_as_it_is():
    container = Container()
    with pytest.raises(StopIteration), container.scope():
        container.session()
        raise StopIteration


def test_an_exit_stays_an_exit_although_an_object_fails_to_end():
    container = Unclosable()
    with pytest.raises(SystemExit) as caught, container.scope():
        container.bad()
        raise SystemExit
    assert isinstance(caught.value.__cause__, ExceptionGroup)


async def test_a_timeout_inside_the_ending_interrupts_as_ever():
    log: Log = []

    async def make_slow() -> AsyncIterator[str]:
        yield "slow"
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            log.append("timed out")

    class One(DeclarativeContainer):
        slow = providers.Scoped(make_slow)

    container = One()
    async with container.scope():
        await container.slow()
    assert log == ["timed out"]


async def test_scopes_opened_by_tasks_started_in_scopes_make_no_chain():
    container = Container()
    inner: list[Scope] = []

    async def task(left: int) -> None:
        async with container.scope() as scope:
            inner.append(scope)
            following = asyncio.create_task(task(left - 1)) if left else None
        if following is not None:
            await following

    await task(5)
    assert all(scope.parent is None for scope in inner)


def test_scopes_may_end_in_any_order():
    container = Container()
    first, second = container.scope(), container.scope()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert current_scope() is second
    second.__exit__(None, None, None)
    assert current_scope() is None


class Told(DeclarativeContainer):
    user = providers.ContextValue("user", str)
    greeting = providers.Scoped("Hello {}".format, user)
    fresh = providers.Factory("Hi {}".format, user)


def test_what_a_scope_was_given_is_injected():
    container = Told()
    for name in ("Ada", "Grace", "Edsger"):  # the third is answered by compiled code
        with container.scope(user=name) as scope:
            assert container.greeting() == f"Hello {name}"
            assert scope.get("fresh") == f"Hi {name}"


def test_an_inner_scope_that_was_given_nothing_asks_the_outer_one():
    container = Told()
    with container.scope(user="Ada"), container.scope(other=1):
        assert container.user() == "Ada"


def test_a_value_that_no_scope_was_given_is_an_error_that_lists_what_they_have():
    container = Told()
    with container.scope(usr="Ada"), pytest.raises(ContainerError, match="they have usr") as caught:
        container.user()
    assert "container.scope(user=...)" in caught.value.hint


def test_a_value_of_the_scope_outside_one_is_an_error():
    with pytest.raises(NoActiveScopeError, match="user"):
        Told().user()


def test_a_singleton_that_keeps_a_value_of_the_scope_is_found_by_check():
    class Keeping(Told):
        keeper: Any = providers.Singleton(list, Told.user)

    with pytest.raises(ValidationError) as caught:
        Keeping().check()
    assert [problem.code for problem in caught.value.problems] == ["captive"]


def test_a_stand_in_for_a_value_of_the_scope_is_held_to_its_class():
    container = Told()
    with container.override(user="Alan"), container.scope(user="Ada"):
        assert container.greeting() == "Hello Alan"


def test_a_scoped_provider_takes_no_arguments_from_its_caller():
    container = Told()
    for _ in range(3):
        with container.scope(user="Ada"), pytest.raises(TypeError):
            container.greeting("Eve")


def test_a_scope_that_has_ended_lets_go_of_its_container_and_of_what_it_was_given():
    container = Told()
    with container.scope(user="Ada") as scope:
        pass
    gone = weakref.ref(container)
    del container
    gc.collect()
    assert gone() is None
    assert scope.context == {}
    with pytest.raises(ContainerError, match="used already"):
        scope.scope()


async def test_10_000_concurrent_scopes_hold_and_mix_up_nothing():
    container = Told()
    together = asyncio.Barrier(10_001)

    async def work(number: int) -> bool:
        async with container.scope(user=str(number)):
            before = container.greeting()
            async with asyncio.timeout(50):
                await together.wait()
            return before is container.greeting() and before == f"Hello {number}"

    tasks = [asyncio.create_task(work(number)) for number in range(10_000)]
    await together.wait()
    assert all(await asyncio.gather(*tasks))


def test_scopes_that_have_ended_leave_nothing_in_memory():
    container = Told()

    def work(times: int) -> int:
        for _ in range(times):
            with container.scope(user="Ada"):
                container.greeting()
        gc.collect()
        return sys.getallocatedblocks()

    work(1_000)
    before = work(1_000)
    assert work(20_000) - before < 100


def test_attributes_of_a_generator_are_refused():
    container = Told()
    container.opened = providers.Scoped(session, []).add_attributes(name="x")
    with container.scope(), pytest.raises(ContainerError, match="before it yields"):
        container.opened()
