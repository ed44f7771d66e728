"""Starting in order, at once where possible; rolling back; ending in reverse."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from dependency_injector import providers as plain

from containers import DeclarativeContainer, DynamicContainer, providers
from containers.errors import LifecycleError
from infrastructure.health import Health, Status

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class Thing:
    def __init__(self, name: str, *needs: object, fails: str = "", hangs: bool = False) -> None:
        self.name, self.needs, self.fails, self.hangs = name, needs, fails, hangs

    async def connect(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails == "connect":
            raise ConnectionError("refused")
        LOG.append(f"+{self.name}")

    async def disconnect(self) -> None:
        LOG.append(f"-{self.name}")
        if self.fails == "disconnect":
            raise ConnectionError("reset")

    async def health_check(self) -> Health:
        return Health(Status.UP, detail=self.name)


class Chain(DeclarativeContainer):
    c = providers.Managed(Thing, "c")
    b = providers.Managed(Thing, "b", c)
    between: providers.Factory[list[Thing]] = providers.Factory(list, plain.List(b))
    a = providers.Managed(Thing, "a", between)


async def test_dependencies_start_first_and_end_last():
    async with Chain():
        assert LOG == ["+c", "+b", "+a"]
    assert LOG == ["+c", "+b", "+a", "-a", "-b", "-c"]


async def test_constructing_starts_nothing():
    Chain()
    assert LOG == []


async def test_independent_ones_start_at_once():
    together = asyncio.Barrier(3)

    class Waiting(Thing):
        async def connect(self) -> None:
            await together.wait()

    class Three(DeclarativeContainer):
        one = providers.Managed(Waiting, "1")
        two = providers.Managed(Waiting, "2")
        three = providers.Managed(Waiting, "3")

    async with asyncio.timeout(5), Three() as container:
        assert container.is_started


async def test_independent_resources_start_at_once():
    together = asyncio.Barrier(3)

    async def waiting() -> None:
        await together.wait()

    class Three(DeclarativeContainer):
        one = providers.Resource(waiting)
        two = providers.Resource(waiting)
        three = providers.Resource(waiting)

    async with asyncio.timeout(5), Three() as container:
        assert container.is_started


async def test_starting_and_ending_twice_is_once():
    container = Chain()
    await container.start()
    await container.start()
    await container.stop()
    await container.stop()
    assert len(LOG) == 6


async def test_a_container_starts_again_after_its_end():
    container = Chain()
    for _ in range(2):
        async with container:
            pass
    assert LOG == ["+c", "+b", "+a", "-a", "-b", "-c"] * 2


@pytest.mark.parametrize("failing", ["a", "b", "c"])
async def test_a_failed_start_ends_what_had_started(failing: str):
    container = Chain()
    getattr(container, failing).add_kwargs(fails="connect")
    with pytest.raises(LifecycleError, match=rf"\n  {failing}: ConnectionError: refused") as caught:
        await container.start()
    assert list(caught.value.failures) == [failing]
    started = [line[1:] for line in LOG if line.startswith("+")]
    assert [line[1:] for line in LOG if line.startswith("-")] == started[::-1]
    assert not container.is_started


async def test_every_failure_of_a_start_is_in_one_report():
    class Two(DeclarativeContainer):
        one = providers.Managed(Thing, "1", fails="connect")
        two = providers.Managed(Thing, "2", fails="connect")
        fine = providers.Managed(Thing, "3")

    with pytest.raises(LifecycleError) as caught:
        await Two().start()
    assert set(caught.value.failures) == {"one", "two"}


async def test_a_hanging_start_is_named_after_its_timeout():
    class One(DeclarativeContainer):
        slow = providers.Managed(Thing, "slow", hangs=True, start_timeout=0.05)

    with pytest.raises(LifecycleError, match=r"'slow' did not start within 0\.05 s"):
        await One().start()


async def test_a_timeout_the_target_asks_for_is_the_targets():
    class Own(Thing):
        def __init__(self, start_timeout: float) -> None:
            super().__init__("own")
            self.start_timeout = start_timeout

    class One(DeclarativeContainer):
        own = providers.Managed(Own, start_timeout=7.0)

    assert One().own().start_timeout == 7.0


@pytest.mark.parametrize("failing", ["a", "b", "c"])
async def test_a_failed_end_leaves_out_nothing(failing: str):
    container = Chain()
    getattr(container, failing).add_kwargs(fails="disconnect")
    await container.start()
    with pytest.raises(ExceptionGroup) as caught:
        await container.stop()
    assert LOG[3:] == ["-a", "-b", "-c"]
    assert caught.value.exceptions[0].__notes__ == [f"while ending '{failing}'"]


async def test_a_cancelled_start_ends_what_had_started():
    reached = asyncio.Event()

    class Slow(Thing):
        async def connect(self) -> None:
            reached.set()
            await asyncio.Event().wait()

    class Two(DeclarativeContainer):
        first = providers.Managed(Thing, "first")
        slow = providers.Managed(Slow, "slow", first)

    container = Two()
    task = asyncio.create_task(container.start())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["+first", "-first"]


async def test_resources_of_dependency_injector_take_part():
    async def connection(need: Thing) -> AsyncIterator[str]:
        LOG.append("+resource")
        yield "connection"
        LOG.append("-resource")

    class Mixed(DeclarativeContainer):
        thing = providers.Managed(Thing, "thing")
        resource = plain.Resource(connection, thing)

    async with Mixed():
        assert LOG == ["+thing", "+resource"]
    assert LOG[2:] == ["-resource", "-thing"]


async def test_health_asks_every_managed_one():
    health = await Chain().health()
    assert {path: answer.detail for path, answer in health.items()} == {
        "a": "a",
        "b": "b",
        "c": "c",
    }


async def test_the_startup_report_tells_the_order_and_the_time():
    async with Chain() as container:
        report = container.startup_report()
    assert [line.path for line in report] == ["c", "b", "a"]
    assert all(line.took_seconds >= 0 for line in report)


class Plain:
    def __init__(self, name: str, *needs: object) -> None:
        self.name = name

    def start(self) -> None:
        LOG.append(f"+{self.name}")

    def stop(self) -> None:
        LOG.append(f"-{self.name}")


def file(need: object) -> Iterator[str]:
    LOG.append("+file")
    yield "file"
    LOG.append("-file")


class Sync(DeclarativeContainer):
    b = providers.Managed(Plain, "b")
    a = providers.Managed(Plain, "a", b)
    file = plain.Resource(file, a)


def test_the_sync_twin_starts_and_ends_in_the_same_order():
    with Sync():
        assert LOG == ["+b", "+a", "+file"]
    assert LOG[3:] == ["-file", "-a", "-b"]


def test_the_sync_twin_says_when_an_event_loop_is_needed():
    with pytest.raises(LifecycleError, match="'c' needs an event loop"), Chain():
        pass


def test_the_sync_twin_refuses_an_async_resource_of_dependency_injector():
    async def connect() -> AsyncIterator[str]:
        yield "connection"

    class One(DeclarativeContainer):
        connection = plain.Resource(connect)

    with pytest.raises(LifecycleError, match="'connection' needs an event loop"), One():
        pass


async def test_sync_things_start_in_an_async_container():
    async with Sync():
        assert LOG == ["+b", "+a", "+file"]


async def test_a_hanging_end_is_given_up_after_its_timeout():
    class Hanging(Thing):
        async def disconnect(self) -> None:
            await asyncio.Event().wait()

    class Two(DeclarativeContainer):
        first = providers.Managed(Thing, "first")
        slow = providers.Managed(Hanging, "slow", first, stop_timeout=0.01)

    container = Two()
    await container.start()
    with pytest.raises(ExceptionGroup) as caught:
        await container.stop()
    assert str(caught.value.exceptions[0]).startswith(
        "containers: 'slow' did not end within 0.01 s"
    )
    assert LOG == ["+first", "+slow", "-first"]


async def test_a_thing_that_cancels_its_own_start_is_a_failure():
    class Cancelling(Thing):
        async def connect(self) -> None:
            raise asyncio.CancelledError

    class Two(DeclarativeContainer):
        first = providers.Managed(Thing, "first")
        bad = providers.Managed(Cancelling, "bad", first)

    with pytest.raises(LifecycleError) as caught:
        await Two().start()
    assert list(caught.value.failures) == ["bad"]
    assert LOG == ["+first", "-first"]


async def test_two_that_hold_each_others_providers_do_not_wait_for_each_other():
    class Two(DeclarativeContainer):
        a = providers.Managed(Thing, "a")
        b = providers.Managed(Thing, "b", a.provider)

    container = Two()
    container.a.add_args(container.b.provider)
    async with asyncio.timeout(5), container:
        assert sorted(LOG) == ["+a", "+b"]


def test_an_interrupted_sync_start_ends_what_had_started():
    class Interrupted(Plain):
        def start(self) -> None:
            raise KeyboardInterrupt

    class Two(DeclarativeContainer):
        first = providers.Managed(Plain, "first")
        second = providers.Managed(Interrupted, "second", first)

    with pytest.raises(KeyboardInterrupt), Two():
        pass
    assert LOG == ["+first", "-first"]


async def test_providers_named_like_methods_do_not_disturb_the_start():
    class Named(DeclarativeContainer):
        start = providers.Object(1)
        stop = providers.Object(2)
        thing = providers.Managed(Thing, "thing")

    async with Named():
        assert LOG == ["+thing"]
    assert LOG == ["+thing", "-thing"]


NUMBERS = range(5)


async def async_link(number: int, *_needs: object, fails: str = "") -> AsyncIterator[int]:
    if fails == "start":
        raise ConnectionError("refused")
    LOG.append(f"+{number}")
    yield number
    LOG.append(f"-{number}")
    if fails == "stop":
        raise ConnectionError("reset")


def sync_link(number: int, *_needs: object, fails: str = "") -> Iterator[int]:
    if fails == "start":
        raise ConnectionError("refused")
    LOG.append(f"+{number}")
    yield number
    LOG.append(f"-{number}")
    if fails == "stop":
        raise ConnectionError("reset")


class Link:
    """The same with `start` and `stop`, to be managed."""

    def __init__(self, number: int, *_needs: object, fails: str = "") -> None:
        self.number, self.fails = number, fails

    def start(self) -> None:
        if self.fails == "start":
            raise ConnectionError("refused")
        LOG.append(f"+{self.number}")

    def stop(self) -> None:
        LOG.append(f"-{self.number}")
        if self.fails == "stop":
            raise ConnectionError("reset")


class AsyncLink(Link):
    async def start(self) -> None:  # type: ignore[override]  # the async kind
        super().start()

    async def stop(self) -> None:  # type: ignore[override]  # the async kind
        super().stop()


def chain(kind: str, fails: dict[int, str]) -> Any:
    """Five that need each other in a row, and one that needs none of them."""
    container = DynamicContainer()
    make: Any = providers.Managed if kind.startswith("managed") else providers.Resource
    targets = {
        "resource": async_link,
        "sync resource": sync_link,
        "managed": AsyncLink,
        "managed, sync": Link,
    }
    need: tuple[Any, ...] = ()
    for number in (*NUMBERS, 9):
        link = make(targets[kind], number, *need, fails=fails.get(number, ""))
        setattr(container, f"link{number}", link)
        need = () if number == NUMBERS[-1] else (link,)
    return container


KINDS = ["resource", "sync resource", "managed", "managed, sync"]


def paired() -> bool:
    """Whether everything that started ended again, and in reverse."""
    names = [line[1:] for line in LOG if line[0] == "+"]
    return [f"-{name}" for name in reversed(names)] == [line for line in LOG if line[0] == "-"]


@pytest.mark.parametrize("failing", NUMBERS)
@pytest.mark.parametrize("kind", KINDS)
async def test_when_any_of_n_fails_to_start_the_others_end_in_reverse(kind: str, failing: int):
    container = chain(kind, {failing: "start"})
    with pytest.raises(LifecycleError) as caught:
        await container.start()
    assert list(caught.value.failures) == [f"link{failing}"]
    assert {line for line in LOG if line[0] == "+"} == {f"+{one}" for one in (*range(failing), 9)}
    assert paired()
    assert not container.is_started


@pytest.mark.parametrize("failing", NUMBERS)
@pytest.mark.parametrize("kind", KINDS)
async def test_when_any_of_n_fails_to_end_the_others_end_in_order(kind: str, failing: int):
    container = chain(kind, {failing: "stop"})
    await container.start()
    with pytest.raises(ExceptionGroup) as caught:
        await container.stop()
    assert len(LOG) == 12
    assert paired()
    assert [error.__notes__ for error in caught.value.exceptions] == [
        [f"while ending 'link{failing}'"]
    ]
    assert not container.is_started


async def test_all_failures_of_an_end_are_in_one_group():
    container = chain("resource", {1: "stop", 3: "stop"})
    await container.start()
    with pytest.raises(ExceptionGroup) as caught:
        await container.stop()
    notes = [error.__notes__[0] for error in caught.value.exceptions]
    assert notes == ["while ending 'link3'", "while ending 'link1'"]


@pytest.mark.parametrize("failing", NUMBERS)
@pytest.mark.parametrize("kind", ["sync resource", "managed, sync"])
def test_the_sync_twin_ends_in_reverse_when_any_of_n_fails_to_start(kind: str, failing: int):
    container = chain(kind, {failing: "start"})
    with pytest.raises(LifecycleError) as caught, container:
        pass
    assert list(caught.value.failures) == [f"link{failing}"]
    assert paired()


@pytest.mark.parametrize("failing", NUMBERS)
@pytest.mark.parametrize("kind", ["sync resource", "managed, sync"])
def test_the_sync_twin_ends_the_others_when_any_of_n_fails_to_end(kind: str, failing: int):
    container = chain(kind, {failing: "stop"})
    with pytest.raises(ExceptionGroup) as caught, container:
        pass
    assert len(LOG) == 12
    assert paired()
    assert caught.value.exceptions[0].__notes__ == [f"while ending 'link{failing}'"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_fails_to_end_after_a_failed_start_is_told_too(kind: str):
    with pytest.raises(LifecycleError) as caught:
        await chain(kind, {1: "stop", 3: "start"}).start()
    assert list(caught.value.failures) == ["link3"]
    assert list(caught.value.unended) == ["link1"]
    assert "link1: did not end again: ConnectionError: reset" in str(caught.value)


def test_the_sync_twin_tells_too_what_fails_to_end_after_a_failed_start():
    with pytest.raises(LifecycleError) as caught, chain("sync resource", {1: "stop", 3: "start"}):
        pass
    assert list(caught.value.unended) == ["link1"]


async def test_a_failed_start_can_be_tried_again():
    container = chain("resource", {3: "start"})
    with pytest.raises(LifecycleError):
        await container.start()
    container.link3.add_kwargs(fails="")
    LOG.clear()
    async with container:
        assert len(LOG) == 6


async def test_a_later_phase_is_not_begun_when_an_earlier_one_fails():
    class Two(DeclarativeContainer):
        late = providers.Resource(async_link, 2, phase=1)
        early = providers.Resource(async_link, 1, fails="start")

    with pytest.raises(LifecycleError):
        await Two().start()
    assert LOG == []


async def never_begins() -> AsyncIterator[None]:
    await asyncio.Event().wait()
    yield


async def never_ends() -> AsyncIterator[None]:
    yield
    LOG.append("ending")
    await asyncio.Event().wait()


async def test_a_resource_that_hangs_at_its_start_is_named_by_its_path():
    class Part(DeclarativeContainer):
        slow = providers.Resource(never_begins, start_timeout=0.01)

    class Whole(DeclarativeContainer):
        first = providers.Resource(async_link, 1)
        part = providers.Container(Part)

    with pytest.raises(
        LifecycleError, match=r"'part\.slow' did not start within 0\.01 s"
    ) as caught:
        await Whole().start()
    assert list(caught.value.failures) == ["part.slow"]
    assert LOG == ["+1", "-1"]


async def test_a_resource_that_hangs_at_its_end_is_named_and_the_others_end():
    class Two(DeclarativeContainer):
        first = providers.Resource(async_link, 1)
        slow = providers.Resource(never_ends, stop_timeout=0.01)

    container = Two()
    await container.start()
    with pytest.raises(ExceptionGroup) as caught:
        await container.stop()
    assert "'slow' did not end within 0.01 s" in str(caught.value.exceptions[0])
    assert LOG == ["+1", "ending", "-1"]


async def test_a_timeout_of_the_things_own_is_not_taken_for_ours():
    async def refused() -> None:
        raise TimeoutError("the server's own")

    class One(DeclarativeContainer):
        thing = providers.Resource(refused)

    with pytest.raises(LifecycleError, match="TimeoutError: the server's own"):
        await One().start()


async def test_a_cancelled_start_ends_resources_too_and_undoes_the_one_that_begins():
    reached = asyncio.Event()

    async def begin(_need: object) -> AsyncIterator[None]:
        try:
            reached.set()
            await asyncio.Event().wait()
            yield
        finally:
            LOG.append("undone")

    class Two(DeclarativeContainer):
        first = providers.Resource(async_link, 1)
        slow = providers.Resource(begin, first)

    task = asyncio.create_task(Two().start())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["+1", "undone", "-1"]


async def test_what_fails_to_end_after_a_cancelled_start_is_noted_on_the_cancellation():
    reached = asyncio.Event()

    async def begins() -> None:
        reached.set()
        await asyncio.Event().wait()

    class Two(DeclarativeContainer):
        first = providers.Resource(async_link, 1, fails="stop")
        slow = providers.Resource(begins)

    async def start() -> list[str]:
        try:
            await Two().start()
        except asyncio.CancelledError as cancelled:
            return cancelled.__notes__
        return []

    task = asyncio.create_task(start())
    await reached.wait()
    task.cancel()
    assert await task == ["while ending 'first': ConnectionError: reset"]


async def test_a_stop_while_a_start_runs_waits_for_it_and_ends_everything():
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def begin() -> AsyncIterator[None]:
        reached.set()
        await go_on.wait()
        LOG.append("+slow")
        yield
        LOG.append("-slow")

    class One(DeclarativeContainer):
        slow = providers.Managed(Thing, "managed", providers.Resource(begin))

    container = One()
    start = asyncio.create_task(container.start())
    await reached.wait()
    stop = asyncio.create_task(container.stop())
    go_on.set()
    await asyncio.gather(start, stop)
    assert LOG == ["+slow", "+managed", "-managed", "-slow"]
    assert not container.is_started


async def test_two_starts_at_once_are_one():
    container = chain("resource", {})
    await asyncio.gather(container.start(), container.start())
    assert len(LOG) == 6
    await container.stop()


async def test_a_cancelled_stop_ends_everything_first():
    reached, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Thing):
        async def disconnect(self) -> None:
            reached.set()
            await go_on.wait()
            await super().disconnect()

    class Two(DeclarativeContainer):
        first = providers.Resource(async_link, 1)
        slow = providers.Managed(Slow, "slow", first)

    container = Two()
    await container.start()
    task = asyncio.create_task(container.stop())
    await reached.wait()
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["+1", "+slow", "-slow", "-1"]


async def test_a_stop_ends_a_resource_that_was_only_asked_for():
    container = chain("sync resource", {})
    container.link2()
    await container.stop()
    assert LOG == ["+0", "+1", "+2", "-2", "-1", "-0"]


async def test_resources_that_had_begun_take_their_turn_in_the_end():
    class Two(DeclarativeContainer):
        first = providers.Managed(Plain, "first")
        file = providers.Resource(file, first)

    container = Two()
    container.file()
    async with container:
        assert LOG == ["+file", "+first"]
    assert LOG[2:] == ["-file", "-first"]


async def test_shutdown_resources_while_started_leaves_nothing_for_the_stop():
    container = chain("resource", {})
    async with container:
        await container.shutdown_resources()
        assert len(LOG) == 12
    assert len(LOG) == 12


async def test_a_container_that_was_started_with_await_is_not_stopped_by_a_plain_with():
    container = chain("resource", {})
    await container.start()
    with pytest.raises(ExceptionGroup) as caught, container:
        pass
    assert "needs an event loop" in str(caught.value.exceptions[0])


async def test_the_startup_report_prints_a_line_a_provider():
    async with chain("resource", {}) as container:
        printed = str(container.startup_report())
    assert [line.split()[0] for line in printed.splitlines()[1:-1]].count("link3") == 1
    assert printed.endswith("ms")


async def test_health_asks_those_that_are_made_by_a_coroutine_too():
    async def made(name: str) -> Thing:
        return Thing(name)

    class One(DeclarativeContainer):
        thing = providers.Managed(made, "made")

    async with One() as container:
        health = await container.health()
    assert health["thing"].detail == "made"
