"""Starting dependencies first, at once where possible, and ending in reverse."""

from collections.abc import AsyncIterator

from dependency_injector import providers as plain

from containers import DeclarativeContainer, providers
from tests.containers.core.living import LOG, Chain, Plain, Sync, Thing, chain, file


async def test_dependencies_start_first_and_end_last():
    async with Chain():
        assert LOG == ["+c", "+b", "+a"]
    assert LOG == ["+c", "+b", "+a", "-a", "-b", "-c"]


async def test_constructing_starts_nothing():
    Chain()
    assert LOG == []


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


async def test_sync_things_start_in_an_async_container():
    async with Sync():
        assert LOG == ["+b", "+a", "+file"]


async def test_providers_named_like_methods_do_not_disturb_the_start():
    class Named(DeclarativeContainer):
        start = providers.Object(1)
        stop = providers.Object(2)
        thing = providers.Managed(Thing, "thing")

    async with Named():
        assert LOG == ["+thing"]
    assert LOG == ["+thing", "-thing"]


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
