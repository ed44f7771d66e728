"""What a container starts and in which order: dependencies, phases, selection, overrides."""

from collections.abc import AsyncIterator, Iterator
from itertools import permutations
from typing import Any

import pytest
from dependency_injector import providers as plain
from hypothesis import given
from hypothesis import strategies as st

from containers import DeclarativeContainer, DynamicContainer, providers

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


async def resource(name: str, *_needs: Any) -> AsyncIterator[str]:
    LOG.append(f"+{name}")
    yield name
    LOG.append(f"-{name}")


def sync_resource(name: str, *_needs: Any) -> Iterator[str]:
    LOG.append(f"+{name}")
    yield name
    LOG.append(f"-{name}")


class Service:
    def __init__(self, *_needs: Any, name: str = "service") -> None:
        self.name = name

    async def start(self) -> None:
        LOG.append(f"+{self.name}")

    async def stop(self) -> None:
        LOG.append(f"-{self.name}")


def logged(started: list[str]) -> bool:
    """Whether these started in this order, and ended in reverse."""
    return [f"+{name}" for name in started] + [f"-{name}" for name in reversed(started)] == LOG


CHAIN = ("a", "singleton", "b", "factory")


@pytest.mark.parametrize("target", [resource, sync_resource], ids=["async", "sync"])
@pytest.mark.parametrize("order", list(permutations(CHAIN)), ids="-".join)
async def test_a_chain_through_factory_and_singleton_ends_in_order_however_declared(
    order: tuple[str, ...], target: Any
):
    made: dict[str, Any] = {"a": providers.Resource(target, "a")}
    made["singleton"] = providers.Singleton(Service, made["a"])
    made["b"] = providers.Resource(target, "b", made["singleton"])
    made["factory"] = providers.Factory(Service, made["b"])
    container = DynamicContainer()
    for name in order:
        setattr(container, name, made[name])
    container.c = providers.Resource(target, "c", made["factory"])
    async with container:
        pass
    assert logged(["a", "b", "c"])


def test_independent_resources_end_in_reverse():
    container = DynamicContainer()
    for number in range(6):
        setattr(container, f"r{number}", providers.Resource(sync_resource, str(number)))
    with container:
        pass
    assert logged(list("012345"))


async def test_lower_phases_start_first_and_end_last():
    class Shop(DeclarativeContainer):
        late = providers.Managed(Service, name="late", phase=10)
        default = providers.Managed(Service, name="default")
        early = providers.Resource(resource, "early", phase=-10)

    async with Shop():
        pass
    assert logged(["early", "default", "late"])


def test_a_plain_with_keeps_to_the_phases_too():
    class Shop(DeclarativeContainer):
        late = providers.Resource(sync_resource, "late", phase=1)
        early = providers.Resource(sync_resource, "early")

    with Shop():
        pass
    assert logged(["early", "late"])


async def test_dependencies_come_first_whatever_their_phases():
    class Shop(DeclarativeContainer):
        pool = providers.Resource(resource, "pool", phase=9)
        between = providers.Singleton(Service, pool)
        table = providers.Resource(resource, "table", between, phase=-1)
        middle = providers.Resource(resource, "middle", phase=0)

    async with Shop() as container:
        phases = {each.path: each.phase for each in container.startup_report()}
    assert logged(["pool", "table", "middle"])
    assert phases == {"pool": -1, "table": -1, "middle": 0}


@given(
    st.lists(
        st.tuples(st.integers(-2, 2), st.sets(st.integers(0, 7), max_size=3)),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_the_graph_dependencies_start_first_and_the_end_mirrors_the_start(
    declared: list[tuple[int, set[int]]],
):
    LOG.clear()
    container = DynamicContainer()
    made: list[Any] = []
    for number, (phase, wanted) in enumerate(declared):
        needs = [made[other] for other in wanted if other < number]
        made.append(providers.Resource(sync_resource, str(number), *needs, phase=phase))
        setattr(container, f"r{number}", made[-1])
    with container:
        started = [int(line[1:]) for line in LOG]
    assert logged([str(number) for number in started])
    for number, (_, wanted) in enumerate(declared):
        needed = {started.index(other) for other in wanted if other < number}
        assert all(place < started.index(number) for place in needed)


async def test_a_branch_that_no_selector_chooses_is_not_initialized():
    class Shop(DeclarativeContainer):
        kind = providers.Object("memory")
        redis = providers.Resource(resource, "redis")
        cached = providers.Factory(Service, redis)
        memory = providers.Resource(resource, "memory")
        cache = providers.Selector(kind, redis=cached, memory=memory)

    async with Shop():
        assert LOG == ["+memory"]
    assert LOG == ["+memory", "-memory"]


async def test_what_a_selector_cannot_tell_yet_is_started_and_ended():
    def refuse() -> str:
        raise LookupError("not configured")

    class Shop(DeclarativeContainer):
        memory = providers.Resource(resource, "memory")
        cache = providers.Selector(refuse, memory=memory)

    async with Shop():
        pass
    assert logged(["memory"])


async def test_an_unchosen_branch_that_something_else_needs_is_initialized():
    class Shop(DeclarativeContainer):
        kind = providers.Object("memory")
        redis = providers.Resource(resource, "redis")
        memory = providers.Resource(resource, "memory")
        cache = providers.Selector(kind, redis=redis, memory=memory)
        limits = providers.Managed(Service, redis, name="limits")

    async with Shop():
        assert set(LOG) == {"+redis", "+memory", "+limits"}


async def test_an_overridden_resource_is_not_initialized():
    class Shop(DeclarativeContainer):
        db = providers.Resource(resource, "db")
        users = providers.Managed(Service, db, name="users")

    container = Shop()
    with container.override({"db": "fake"}):
        async with container:
            assert container.db() == "fake"
    assert LOG == ["+users", "-users"]


async def test_a_resource_overridden_for_good_is_not_initialized_but_its_stand_in_is():
    class Shop(DeclarativeContainer):
        db = providers.Resource(resource, "db")

    container = Shop(db=providers.Resource(resource, "other"))
    async with container:
        assert container.db() == "other"
        assert [each.path for each in container.startup_report()] == ["db"]
    assert LOG == ["+other", "-other"]


async def test_an_object_in_the_place_of_a_managed_one_is_started_in_its_place():
    class Shop(DeclarativeContainer):
        users = providers.Managed(Service, name="users")

    container = Shop()
    with container.override({"users": Service(name="fake")}):
        await container.start()
    await container.stop()
    assert LOG == ["+fake", "-fake"]


async def test_a_resource_without_a_name_is_started_and_ended():
    class Shop(DeclarativeContainer):
        users = providers.Managed(Service, providers.Resource(resource, "db"), name="users")

    async with Shop():
        pass
    assert logged(["db", "users"])


async def test_a_resource_given_by_another_container_is_the_others_to_start_and_end():
    class Data(DeclarativeContainer):
        db = providers.Resource(resource, "db")

    class Shop(DeclarativeContainer):
        db = providers.Dependency(instance_of=str)
        users = providers.Managed(Service, db, name="users")

    async with Data() as data:
        async with Shop(db=data.db):
            pass
        assert LOG == ["+db", "+users", "-users"]
        assert data.db() == "db"


async def test_a_resource_of_the_context_is_left_to_those_who_ask_for_it():
    class Shop(DeclarativeContainer):
        session = plain.ContextLocalResource(sync_resource, "session")

    async with Shop():
        assert LOG == []


async def test_what_was_made_of_a_resource_is_made_anew_after_a_restart():
    opened = iter(range(9))

    async def connection() -> AsyncIterator[int]:
        yield next(opened)

    class Shop(DeclarativeContainer):
        db = providers.Resource(connection)
        users = providers.Singleton(lambda db: f"users on {db}", db)
        other = providers.Singleton(object)

    container = Shop()
    other = container.other()
    for number in range(2):
        async with container:
            assert container.users() == f"users on {number}"
    assert container.other() is other
