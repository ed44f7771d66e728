"""Overrides reach what is built already, and leave nothing behind."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from dependency_injector import providers as plain
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import DeclarativeContainer, override, providers
from containers.errors import OverrideTypeError, UnknownProviderError


class Database:
    def query(self) -> str:
        return "real"


class Fake(Database):
    def query(self) -> str:
        return "fake"


class Cache:
    def __init__(self, database: Database) -> None:
        self.database = database


class Service:
    def __init__(self, cache: Cache) -> None:
        self.cache = cache


class Part(DeclarativeContainer):
    database: providers.Dependency[Database] = providers.Dependency()
    default = providers.Singleton(Cache, database)


class Container(DeclarativeContainer):
    database = providers.Singleton(Database)
    unrelated = providers.Singleton(object)
    cache = providers.Container(Part, database=database)
    service = providers.Singleton(Service, cache.default)
    fresh = providers.Factory(Service, cache.default)


def test_a_dependant_built_before_gets_the_stand_in():
    container = Container()
    container.service()
    with container.override(database=Fake()):
        assert container.service().cache.database.query() == "fake"


def test_what_was_built_before_comes_back_by_identity():
    container = Container()
    before = container.service()
    with container.override(database=Fake()):
        assert container.service() is not before
    assert container.service() is before


def test_what_was_first_built_under_it_goes_with_it():
    container = Container()
    with container.override(database=Fake()):
        container.service()
    assert container.service().cache.database.query() == "real"


def test_unrelated_objects_stay():
    container = Container()
    before = container.unrelated()
    with container.override(database=Fake()):
        assert container.unrelated() is before


def test_objects_built_under_it_are_kept_for_its_time():
    container = Container()
    with container.override(database=Fake()):
        assert container.service() is container.service()


def test_dotted_names_providers_and_parts_can_be_named():
    container = Container()
    stand_in = Cache(Fake())
    for given_override in (
        container.override({"cache.default": stand_in}),
        container.override({container.cache.default: stand_in}),
        container.override(cache=stand_in),
    ):
        with given_override:
            assert container.service().cache is stand_in
    assert container.service().cache is not stand_in


def test_a_provider_can_stand_in():
    container = Container()
    with container.override(database=providers.Factory(Fake)):
        assert container.database() is not container.database()


def test_overrides_nest_and_the_innermost_wins():
    container = Container()
    outer, inner = Fake(), Fake()
    with container.override(database=outer):
        seen = container.service()
        with container.override(database=inner):
            assert container.service().cache.database is inner
        assert container.service() is seen


def test_overrides_may_end_in_any_order():
    container = Container()
    first, second = Fake(), Fake()
    one, two = container.override(database=first), container.override(database=second)
    one.undo()
    assert container.service().cache.database is second
    two.undo()
    assert container.service().cache.database.query() == "real"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownProviderError, match=r"'datbase'.*Did you mean 'database'"):
        Container().override(datbase=Fake())


def test_a_stand_in_without_the_ports_methods_is_refused():
    with pytest.raises(OverrideTypeError, match=r"database: .*str: it has no query"):
        Container().override(database="a string")


def test_an_object_with_the_ports_methods_is_enough():
    class Duck:
        def query(self) -> str:
            return "duck"

    container = Container()
    with container.override(database=Duck()):
        assert container.service().cache.database.query() == "duck"


async def test_isolated_overrides_are_seen_by_their_task_alone():
    container = Container()
    both = asyncio.Barrier(2)

    async def task(stand_in: Fake) -> bool:
        with container.override(database=stand_in, isolated=True):
            await both.wait()
            seen = container.service().cache.database is stand_in
            await both.wait()
            return seen

    assert all(await asyncio.gather(task(Fake()), task(Fake())))
    assert container.service().cache.database.query() == "real"


async def test_isolated_overrides_reach_tasks_started_inside():
    container = Container()
    stand_in = Fake()
    with container.override(database=stand_in, isolated=True):
        assert await asyncio.create_task(_ask(container)) is stand_in


async def _ask(container: Container) -> Database:
    found: Database = container.service().cache.database
    return found


def test_a_plain_providers_object_is_replaced_and_comes_back():
    class Mixed(DeclarativeContainer):
        database = plain.Singleton(Database)
        cache = plain.Singleton(Cache, database)

    container = Mixed()
    before = container.cache()
    with container.override(database=Fake()):
        assert container.cache().database.query() == "fake"
    assert container.cache() is before


def test_a_plain_provider_cannot_be_isolated():
    class Mixed(DeclarativeContainer):
        database = plain.Singleton(Database)

    with pytest.raises(OverrideTypeError, match=r"containers\.providers"):
        Mixed().override(database=Fake(), isolated=True)


def test_a_scoped_object_is_made_anew_under_an_override():
    class WithScope(DeclarativeContainer):
        database = providers.Singleton(Database)
        cache = providers.Scoped(Cache, database)

    container = WithScope()
    with container.scope():
        before = container.cache()
        with container.override(database=Fake()):
            assert container.cache().database.query() == "fake"
        assert container.cache() is before


async def test_an_async_provider_stays_awaitable_under_a_plain_stand_in():
    async def open_database() -> Database:
        return Database()

    class Asynchronous(DeclarativeContainer):
        database = providers.Singleton(open_database)

    container = Asynchronous()
    with container.override(database=Fake()):
        assert (await container.database()).query() == "fake"


def test_a_provider_named_override_wins_and_the_function_still_works():
    class Named(DeclarativeContainer):
        override = providers.Object("mine")
        database = providers.Singleton(Database)

    container = Named()
    assert container.override() == "mine"
    with override(container, database=Fake()):
        assert container.database().query() == "fake"


def test_a_container_argument_keeps_its_meaning():
    class Other(DeclarativeContainer):
        database = providers.Singleton(Fake)

    container = Container()
    with container.override(Other()):
        assert container.database().query() == "fake"
    assert container.database().query() == "real"


NAMES = ("database", "cache.default", "service")
STAND_INS: dict[str, Callable[[], object]] = {
    "database": Fake,
    "cache.default": lambda: Cache(Fake()),
    "service": lambda: Service(Cache(Fake())),
}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans(), st.integers(0, 5))))
def test_any_sequence_of_overrides_and_exits_leaves_a_fresh_container(steps):
    container = Container()
    before = {name: container.get(name) for name in NAMES}
    alive = []
    for name, isolated, which in steps:
        alive.append(container.override({name: STAND_INS[name]()}, isolated=isolated))
        for asked in NAMES:
            container.get(asked)
        if alive and which < len(alive):
            alive.pop(which).undo()
    for one in alive:
        one.undo()
    assert {name: container.get(name) for name in NAMES} == before


def test_a_provider_of_the_class_names_that_of_the_container():
    container, stand_in = Container(), Fake()
    with container.override({Container.database: stand_in}):
        assert container.service().cache.database is stand_in


def test_a_provider_of_elsewhere_is_refused():
    with pytest.raises(UnknownProviderError):
        Container().override({providers.Object(1): 2})


def test_a_container_may_stand_in_for_a_part_and_goes_without_a_trace():
    class Other(DeclarativeContainer):
        default = providers.Singleton(Cache, providers.Object(Fake()))

    container = Container()
    before = container.service()
    with container.override({"cache": Other()}):
        assert container.service().cache.database.query() == "fake"
    assert container.service() is before


def test_a_part_cannot_be_replaced_by_an_object():
    with pytest.raises(OverrideTypeError, match="a container cannot be replaced by int"):
        Container().override({"cache": 1})


def test_a_container_argument_leaves_the_parts_as_they_were_given():
    class Other(DeclarativeContainer):
        cache = providers.Container(Part, database=providers.Singleton(Fake))

    container = Container()
    with container.override(Other()):
        assert container.service().cache.database.query() == "fake"
    assert container.cache.default().database is container.database()


def test_a_plain_dependant_cannot_be_isolated_either():
    class Mixed(DeclarativeContainer):
        database = providers.Singleton(Database)
        cache = plain.Singleton(Cache, database)

    with pytest.raises(OverrideTypeError, match="cannot isolate"):
        Mixed().override(database=Fake(), isolated=True)


def test_an_awaitable_cannot_stand_in_where_nobody_awaits():
    async def make_fake() -> Fake:
        return Fake()

    with pytest.raises(OverrideTypeError, match="awaited"):
        Container().override(database=providers.Singleton(make_fake))


async def test_an_ended_override_is_over_for_the_tasks_started_inside_too():
    container, ended = Container(), asyncio.Event()

    async def straggler() -> Database:
        await ended.wait()
        return await _ask(container)

    with container.override(database=Fake(), isolated=True):
        task = asyncio.create_task(straggler())
    ended.set()
    assert (await task).query() == "real"


def test_what_is_being_built_when_an_override_begins_is_not_kept():
    building, overridden = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, _: object, database: Database) -> None:
            self.database = database

    def pause() -> None:
        building.set()
        overridden.wait(5)

    class Racing(DeclarativeContainer):
        database = providers.Singleton(Database)
        slow = providers.Singleton(Slow, providers.Factory(pause), database)

    container = Racing()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(container.slow)
        building.wait(5)
        with container.override(database=Fake()):
            overridden.set()
            asked.result()
    assert container.slow().database.query() == "real"
