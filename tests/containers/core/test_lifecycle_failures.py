"""A start or an end that fails or hangs: the others end, in order, and all of it is told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from containers import DeclarativeContainer, providers
from containers.errors import LifecycleError
from tests.containers.core.living import (
    KINDS,
    LOG,
    NUMBERS,
    Chain,
    Thing,
    async_link,
    chain,
    paired,
)


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


@pytest.mark.parametrize("kind", KINDS)
async def test_what_fails_to_end_after_a_failed_start_is_told_too(kind: str):
    with pytest.raises(LifecycleError) as caught:
        await chain(kind, {1: "stop", 3: "start"}).start()
    assert list(caught.value.failures) == ["link3"]
    assert list(caught.value.unended) == ["link1"]
    assert "link1: did not end again: ConnectionError: reset" in str(caught.value)


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
