"""What several containers run ends with the last of them; what several loops run is made anew."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from containers import DeclarativeContainer, providers
from tests.containers.core.living import LOG, Thing, async_link


class Owner(DeclarativeContainer):
    resource = providers.Resource(async_link, 1)
    managed = providers.Managed(Thing, "2")


class Guest(DeclarativeContainer):
    resource: Any = providers.Object(None)
    managed: Any = providers.Object(None)
    held = providers.Singleton(tuple, providers.List(resource, managed))


def guest_of(owner: Any) -> Any:
    return Guest(resource=owner.resource, managed=owner.managed)


async def test_what_another_container_still_runs_is_not_ended():
    owner = Owner()
    async with owner:
        async with guest_of(owner) as guest:
            assert guest.held() == (1, owner.managed())
        assert sorted(LOG) == ["+1", "+2"]
        assert owner.resource() == 1
    assert sorted(LOG[2:]) == ["-1", "-2"]


async def test_the_last_container_ends_what_another_began():
    owner = Owner()
    guest = guest_of(owner)
    await owner.start()
    await guest.start()
    await owner.stop()
    assert sorted(LOG) == ["+1", "+2"]
    await guest.stop()
    assert sorted(LOG[2:]) == ["-1", "-2"]


async def test_a_stand_in_of_the_class_ends_with_the_last_container_that_asked_it():
    with Owner.override(resource=providers.Resource(async_link, 7)):
        first = Owner()
        assert await first.aget("resource") == 7
        async with Owner():
            pass
        assert first.resource() == 7
        await first.stop()
    assert LOG == ["+7", "+2", "-2", "-7"]


async def test_a_container_that_is_no_more_keeps_nothing_running():
    owner = Owner()
    guest = guest_of(owner)
    await guest.start()
    del guest
    gc.collect()
    async with owner:
        pass
    assert sorted(LOG[-2:]) == ["-1", "-2"]


class Made(DeclarativeContainer):
    async def made() -> object:  # type: ignore[misc]
        return object()

    resource = providers.Resource(made)
    held: Any = providers.Singleton(lambda made: made, resource)


def test_what_ran_in_a_loop_that_is_gone_is_made_anew_in_the_next():
    container = Made()
    seen = []
    for _ in range(2):
        with asyncio.Runner() as runner:
            runner.run(container.start())
            seen.append(container.resource())
            assert container.held() is seen[-1]
    assert seen[0] is not seen[1]


def test_a_loop_that_was_closed_over_a_running_resource_does_not_keep_it():
    container = Owner()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(container.start())
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()

    async def use() -> None:
        async with container:
            assert sorted(LOG[-2:]) == ["+1", "+2"]

    asyncio.run(use())
    assert sorted(LOG[-2:]) == ["-1", "-2"]


def test_what_a_dropped_container_runs_ends_with_the_loop():
    async def resource() -> AsyncIterator[None]:
        yield
        LOG.append("ended")

    class One(DeclarativeContainer):
        resource_ = providers.Resource(resource)

    async def run() -> None:
        await One().start()
        gc.collect()
        LOG.append("running")

    asyncio.run(run())
    assert LOG == ["running", "ended"]


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_managed_thing_of_two_containers_is_started_once(is_first: bool):
    owner = Owner()
    guest = guest_of(owner)
    for container in (owner, guest) if is_first else (guest, owner):
        await container.start()
    assert LOG.count("+2") == 1
    await owner.stop()
    await guest.stop()
    assert LOG.count("-2") == 1
