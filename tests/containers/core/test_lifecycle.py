"""Starting in order, at once where possible; rolling back; ending in reverse."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from dependency_injector import providers as plain

from containers import DeclarativeContainer, providers
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
    assert isinstance(caught.value.exceptions[0], TimeoutError)
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
