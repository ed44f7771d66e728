"""Compiled plans tell the same story as the readable path, and go when they would be wrong."""

import asyncio
import gc
import inspect
import linecache
import threading
import traceback
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containers import DeclarativeContainer, DynamicContainer, Provide, inject, providers
from containers.core import bodies
from containers.core.plans import function_of
from containers.core.writing import written
from containers.errors import CircularDependencyError, NoActiveScopeError
from tests.containers.core.random_graphs import KINDS, WAYS, BoomError, Declared, Need, World

STAND_INS = ("object", "callable", "factory", "singleton", "scoped", "scoped_generator")
VALUES = st.sampled_from([None, 0, -1, False, "", 'quo"te\n', float("nan"), 2**80, -0.0])

places = st.integers(0, 7)
needs = st.builds(Need, places, st.sampled_from(WAYS))
declared = st.builds(
    Declared,
    st.sampled_from(KINDS),
    st.lists(needs, min_size=2, max_size=3).map(tuple),
    st.lists(needs, max_size=2).map(tuple),
    st.lists(needs, max_size=1).map(tuple),
)
opens = st.tuples(st.just("open_scope"), st.booleans() | st.just(value=True), st.booleans())
steps = st.one_of(
    opens,
    opens,
    st.tuples(st.just("call_with"), places),
    st.tuples(st.just("close_scope"), st.sampled_from([None, None, BoomError, KeyboardInterrupt])),
    st.tuples(st.just("replace"), places, st.sampled_from(STAND_INS), needs, st.booleans()),
    st.tuples(st.just("undo"), places),
    st.tuples(st.just("override"), places, st.sampled_from(STAND_INS), needs),
    st.tuples(st.sampled_from(["reset", "reset_last", "reset_override", "clear_args"]), places),
    st.tuples(st.sampled_from(["set_named", "set_attribute"]), places, VALUES),
    st.tuples(st.just("add_need"), places, needs),
    st.tuples(st.just("fail"), places, st.booleans()),
)


async def _story(world: World, taken: list[tuple[Any, ...]]) -> list[str]:
    again = [("open_scope", True, False), ("call_all",)]
    for step in [*again, *again, *taken]:
        await world.do(step)
        await world.do(("call_all",))
    await world.finish()
    return world.log


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(declared, min_size=3, max_size=7),
    st.sets(st.integers(0, 7), max_size=3),
    st.lists(steps, max_size=8),
)
def test_plans_make_and_end_what_the_readable_path_does_in_the_same_order(graph, inner, taken):
    first = min(inner, default=0)
    inner = {place for place in range(first, first + len(inner)) if place < len(graph)}
    compiled, readable = (World(graph, inner, compiles=compiles) for compiles in (True, False))
    story = asyncio.run(_story(readable, taken))
    assert asyncio.run(_story(compiled, taken)) == story


class Thing:
    """Notes what it was made of."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs


def _of(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return (*args, *kwargs.items())


def _warm(provider: Any) -> Any:
    """Call until a plan answers."""
    for _ in range(3):
        made = provider()
    return made


def _is_compiled(provider: Any) -> bool:
    return not inspect.ismethod(provider.__call__)


async def _warm_in_scopes(container: Any, name: str) -> None:
    for _ in range(4):
        async with container.scope():
            made = getattr(container, name)()
            await made if inspect.isawaitable(made) else None


async def _later(*args: Any) -> Thing:
    await asyncio.sleep(0)
    return Thing(*args)


def _container(**parts: Any) -> Any:
    return type("Container", (DeclarativeContainer,), parts)()


def _chain(kind: Any, target: Any, length: int) -> Any:
    made = kind(target)
    for _ in range(length):
        made = kind(target, made)
    return made


@pytest.mark.parametrize("kind", [providers.Factory, providers.Callable, providers.Singleton])
def test_the_second_call_compiles(kind):
    provider = kind(Thing)
    provider()
    assert not _is_compiled(provider)
    provider()
    assert _is_compiled(provider)


def test_a_traceback_shows_the_line_of_the_plan():
    failing: list[int] = []
    provider = providers.Factory(Thing, providers.Factory(lambda: 1 // (1 - len(failing))))
    _warm(provider)
    failing.append(1)
    with pytest.raises(ZeroDivisionError) as caught:
        provider()
    told = "".join(traceback.format_exception(caught.value))
    assert "return Thing(_lambda_())" in told
    assert "<plan" in told


def test_the_lines_of_a_plan_go_with_it():
    provider = providers.Factory(Thing)
    _warm(provider)
    filename = provider.__call__.__code__.co_filename
    assert filename in linecache.cache
    provider.add_args(1)
    gc.collect()
    assert filename not in linecache.cache


@pytest.mark.parametrize("value", [None, False, 0, (), "", 0.0])
def test_what_is_empty_is_an_object_too(value):
    made: list[int] = []

    def make() -> Any:
        made.append(1)
        return value

    container = _container(single=providers.Singleton(make), scoped=providers.Scoped(make))
    assert [_warm(container.single), len(made)] == [value, 1]
    _warm(providers.Factory(Thing, container.single))
    for opened in range(4):
        with container.scope():
            assert _warm(container.scoped) is value
            assert len(made) == opened + 2


VALUES_AS_THEY_ARE = [
    float("nan"), -0.0, 10**5000, -(2**64), 2**63, -1, True, "q\"'\n\\{x}", b"\0", "\ud800", int,
    Provide["name"], lambda: None, ..., NotImplemented, frozenset({1}), (1, [2]), 1j,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES_AS_THEY_ARE, ids=lambda one: type(one).__name__)
def test_an_argument_is_given_as_it_is(value):
    provider = providers.Factory(_of, value, providers.Object(value), named=value)
    first = provider()
    _warm(provider)
    assert _is_compiled(provider)
    assert first[:2] == (value, value) or value != value  # noqa: PLR0124 - NaN
    for one, other in zip(first, provider(), strict=True):
        assert one is other or one == other
    assert repr(provider()[0])[:9] == repr(value)[:9] if value != 10**5000 else True


NAMES = [
    "class", "None", "scope", "cells", "missing", "layout", "pending", "waiting", "uncompiled",
    "current", "args", "kwargs", "print", "__debug__", "__builtins__", "Größe", "ª", "²", "",
    "a b", "1st", "finish", "value", "argument", "make_value",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_a_target_may_have_any_name(name):
    made = type(name, (Thing,), {})

    async def wait(*args: Any) -> Any:
        return made(*args)

    wait.__name__ = name
    scoped = providers.Scoped(made)
    container = _container(
        scoped=scoped,
        waited=providers.Scoped(wait, scoped),
        fresh=providers.Factory(made, scoped, providers.Factory(made)),
        waiting=providers.Factory(made, providers.Factory(wait)),
    )
    for _ in range(4):
        async with container.scope():
            inner = container.fresh().args[0]
            assert inner is container.scoped()
            assert (await container.waited()).args == (inner,)
            assert type((await container.waiting()).args[0]) is made
    assert all(map(_is_compiled, container.providers.values()))


def test_a_target_may_be_a_partial_or_a_lambda_or_an_object_that_is_called():
    class Maker:
        def __call__(self, *args: Any) -> Any:
            return args

    for target in (partial(_of, 1), lambda *args: (1, *args), partial(Maker(), 1)):
        provider = providers.Factory(target, 2)
        assert _warm(provider) == (1, 2)
        assert _is_compiled(provider)


@pytest.mark.parametrize("name", ["class", "ﬁ", "__debug__", "with space", "None", "scope"])
def test_any_name_may_be_given_to_a_target(name):
    provider: Any = providers.Factory(dict, **{name: 1})
    assert [provider() for _ in range(4)] == [{name: 1}] * 4


@pytest.mark.parametrize("name", ["plain", "class", "ﬁ", "__debug__", "_private", "__mangled"])
def test_any_attribute_may_be_set(name):
    class Holder:
        """Has attributes."""

    provider = providers.Factory(Holder)
    provider.add_attributes(**{name: providers.Factory(list)})
    assert [vars(provider()) for _ in range(4)] == [{name: []}] * 4


def test_attributes_of_a_scoped_object_are_set_too():
    scoped = providers.Scoped(Thing)
    scoped.add_attributes(extra=1)
    container = _container(scoped=scoped)
    for _ in range(4):
        with container.scope():
            assert container.scoped().extra == 1


@pytest.mark.parametrize("length", [17, 40, 150])
def test_a_long_chain_of_constructors_is_compiled(length):
    provider = _chain(providers.Factory, Thing, length)
    made, depth = _warm(provider), 0
    while made.args:
        made, depth = made.args[0], depth + 1
    assert depth == length
    assert _is_compiled(provider)


@pytest.mark.parametrize("length", [17, 40])
async def test_long_chains_of_what_is_awaited_and_scoped_are_compiled(length):
    container = _container(
        scoped=_chain(providers.Scoped, Thing, length),
        waited=_chain(providers.Scoped, _later, length),
        waiting=_chain(providers.Factory, _later, length),
    )
    for name in container.providers:
        await _warm_in_scopes(container, name)
    assert all(map(_is_compiled, container.providers.values()))


def test_more_constructors_than_a_plan_holds_are_all_called():
    parts = [providers.Factory(Thing, place) for place in range(2 * bodies.MOST_CONSTRUCTORS)]
    made = _warm(providers.Factory(Thing, *parts))
    assert [part.args[0] for part in made.args] == list(range(len(parts)))


def test_changes_after_compilation_are_seen_everywhere():
    leaf = providers.Factory(_of, 1)
    inner: Any = providers.Factory(_of, leaf)
    outer = providers.Factory(_of, inner)
    assert _warm(outer) == (((1,),),)
    leaf.add_args(2)
    assert _warm(outer) == (((1, 2),),)
    leaf.set_kwargs(a=3)
    assert _warm(outer) == (((1, 2, ("a", 3)),),)
    leaf.clear_args()
    assert _warm(outer) == (((("a", 3),),),)
    inner.set_provides(lambda *args: list(args))
    assert _warm(outer) == ([(("a", 3),)],)
    with leaf.override(providers.Object([5])):
        assert _warm(outer) == ([[5]],)
    assert _warm(outer) == ([(("a", 3),)],)


def test_a_reset_singleton_is_made_anew_where_it_was_a_constant():
    single = providers.Singleton(Thing)
    outer = providers.Factory(_of, single)
    before = _warm(outer)[0]
    single.reset()
    after = outer()[0]
    assert after is not before
    assert after is _warm(outer)[0] is single()


def test_overrides_reach_constants_and_leave_them_as_they_were():
    container = _container(single=providers.Singleton(Thing))
    outer = providers.Factory(_of, container.single)
    before = _warm(outer)[0]
    with container.override(single=Thing("fake")):
        assert _warm(outer)[0].args == ("fake",)
        with container.single.override(providers.Object(1)):
            assert _warm(outer)[0].args == ("fake",)
    assert _warm(outer)[0] is before is _warm(container.single)
    assert _is_compiled(container.single)


def test_a_dependency_added_under_an_override_is_replaced_too():
    class Container(DeclarativeContainer):
        leaf = providers.Object(1)
        single = providers.Singleton(_of)

    container = Container()
    assert _warm(container.single) == ()
    with container.override(leaf=2):
        assert container.single() == ()
        container.single.add_args(container.leaf)
        container.single.reset()
        assert _warm(container.single) == (2,)
    container.single.reset()
    assert _warm(container.single) == (1,)


def test_a_provider_of_two_containers_is_scoped_in_each():
    shared = providers.Scoped(Thing)
    one, two = DynamicContainer(), DynamicContainer()
    one.shared = two.shared = shared
    for _ in range(4):
        with one.scope():
            outer = shared()
            with two.scope():
                assert shared() is not outer
            assert shared() is outer


def test_a_copy_of_a_compiled_provider_stands_on_its_own():
    container = _container(leaf=providers.Singleton(Thing))
    container.outer = providers.Factory(_of, container.leaf)
    before = _warm(container.outer)
    copied = providers.deepcopy(container.outer)
    assert not _is_compiled(copied)
    assert _warm(copied)[0] is not before[0]
    assert _warm(container.outer)[0] is before[0]


def test_a_container_is_let_go_whatever_was_done_with_it():
    class Container(DeclarativeContainer):
        single = providers.Singleton(Thing)
        scoped = providers.Scoped(Thing, single)
        fresh = providers.Factory(Thing, scoped, single)

    @inject
    def asking(single: Any = Provide["single"], fresh: Any = Provide["fresh"]) -> Any:
        return single, fresh

    def use() -> list["weakref.ref[Any]"]:
        container = Container().wire()
        for _ in range(4):
            with container.override(single=Thing()), container.scope():
                asking()
            with container.scope():
                made = asking()
        container.unwire()
        return [weakref.ref(container), weakref.ref(container.fresh), weakref.ref(made[0])]

    seen = use()
    gc.collect()
    assert [one() for one in seen] == [None, None, None]


def test_a_closed_scope_keeps_nothing_that_was_made_under_an_override():
    container = _container(leaf=providers.Object(1))
    container.scoped = providers.Scoped(Thing, container.leaf)
    with container.override(leaf=2), container.scope():
        made = weakref.ref(container.scoped())
    gc.collect()
    assert made() is None


async def test_twenty_tasks_see_their_own_stand_ins_beside_compiled_plans():
    class Container(DeclarativeContainer):
        leaf = providers.Singleton(Thing)
        single = providers.Singleton(Thing, leaf)
        scoped = providers.Scoped(Thing, single)
        fresh = providers.Factory(Thing, scoped)
        beside = providers.Factory(Thing)

    container = Container()
    together = asyncio.Barrier(20)

    def leaf() -> Any:
        with container.scope():
            return _warm(container.fresh).args[0].args[0].args[0]

    async def task(place: int) -> bool:
        stand_in = Thing(place)
        with container.override(leaf=stand_in, isolated=True) if place % 2 else nullcontext():
            await together.wait()
            seen = leaf()
            await together.wait()
            return leaf() is seen is (stand_in if place % 2 else plain_one)

    plain_one = leaf()
    assert all(await asyncio.gather(*map(task, range(20))))
    assert leaf() is plain_one
    assert _warm(container.beside) is not None


def _in_threads(function: Any, count: int) -> list[Any]:
    ready = threading.Barrier(count)

    def run(place: int) -> Any:
        ready.wait()
        return function(place)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_threads_that_compile_at_once_get_what_one_gets():
    for _ in range(5):
        container = _container(single=providers.Singleton(Thing))
        outer = providers.Factory(_of, container.single)
        found = _in_threads(lambda _, outer=outer: [outer()[0] for _ in range(5)], 64)
        assert len({id(one) for several in found for one in several}) == 1


def test_threads_that_call_see_an_override_of_another_thread_or_none():
    class Container(DeclarativeContainer):
        leaf = providers.Singleton(_of, "real")
        fresh = providers.Factory(_of, leaf)

    container, done = Container(), threading.Event()

    def work(place: int) -> set[Any]:
        if place:
            seen = set()
            while not done.is_set():
                seen.add(container.fresh())
            return seen
        for _ in range(200):
            with container.override(leaf=("fake",)):
                assert container.fresh() == (("fake",),)
            assert container.fresh() == (("real",),)
        done.set()
        return set()

    assert set().union(*_in_threads(work, 9)) <= {(("fake",),), (("real",),)}
    assert _warm(container.fresh) == (("real",),)


def test_threads_in_one_scope_get_one_object_of_a_plan():
    made: list[int] = []
    second = threading.Barrier(2)

    def make(*_args: Any) -> Thing:
        """Wait for another thread that makes one too; there must be none."""
        made.append(1)
        if len(made) > 4:
            with suppress(threading.BrokenBarrierError):
                second.wait(0.2)
        return Thing()

    container = _container(scoped=providers.Scoped(make, providers.Scoped(Thing)))
    for _ in range(4):
        with container.scope():
            container.scoped()
    assert _is_compiled(container.scoped)
    with container.scope() as scope:
        found = _in_threads(lambda _: scope.get(container.scoped), 8)
    assert len(set(map(id, found))) == 1
    assert len(made) == 5


async def test_tasks_in_one_scope_get_one_object_of_a_plan():
    made: list[int] = []

    async def wait(*args: Any) -> Any:
        made.append(1)
        return await _later(*args)

    container = _container(waited=providers.Scoped(wait))
    await _warm_in_scopes(container, "waited")
    made.clear()
    async with container.scope():
        found = await asyncio.gather(*(container.waited() for _ in range(64)))
    assert len(set(map(id, found))) == len(made) == 1


async def test_a_plan_and_a_task_without_one_make_one_object():
    made: list[object] = []
    gate = asyncio.Event()

    class Thing:
        def __init__(self, waited: str) -> None:
            made.append(waited)

    async def wait() -> str:
        await gate.wait()
        return "waited"

    class One(DeclarativeContainer):
        waited = providers.Scoped(wait)
        thing = providers.Scoped(Thing, waited)

    container = One()
    gate.set()
    for _ in range(3):
        async with container.scope():
            await container.thing()
    gate.clear()
    made.clear()
    async with container.scope():
        asked = [container.thing(), container.thing.uncompiled()]
        tasks = [asyncio.ensure_future(one) for one in asked]
        await asyncio.sleep(0)
        gate.set()
        first, second = await asyncio.gather(*tasks)
    assert first is second
    assert len(made) == 1


async def test_when_the_first_maker_is_cancelled_the_next_makes_it():
    gate, made = asyncio.Event(), []

    async def wait() -> Any:
        made.append(1)
        await gate.wait()
        return Thing()

    gate.set()
    container = _container(waited=providers.Scoped(wait))
    await _warm_in_scopes(container, "waited")
    gate.clear()
    made.clear()
    async with container.scope():
        first, *others = [asyncio.ensure_future(container.waited()) for _ in range(4)]
        await asyncio.sleep(0)
        first.cancel()
        gate.set()
        found = await asyncio.gather(*others)
        assert first.cancelled()
        assert len(made) == 2
        assert found[0] is found[1] is found[2]


async def test_a_failed_maker_leaves_the_object_to_the_next():
    failing = [True]

    async def wait() -> Any:
        await asyncio.sleep(0)
        if failing:
            failing.pop()
            raise BoomError
        return Thing()

    container = _container(waited=providers.Scoped(wait))
    with pytest.raises(BoomError):
        await _warm_in_scopes(container, "waited")
    await _warm_in_scopes(container, "waited")
    failing.append(True)
    async with container.scope():
        found = await asyncio.gather(
            *(container.waited() for _ in range(3)), return_exceptions=True
        )
        assert [type(one) for one in found] == [BoomError, Thing, Thing]
        assert found[1] is found[2]


async def test_a_plan_ends_what_it_was_making_while_the_scope_ended():
    gate, log = asyncio.Event(), []

    async def stream() -> AsyncIterator[Any]:
        await gate.wait()
        try:
            yield Thing()
        finally:
            log.append("ended")

    gate.set()
    container = _container(stream=providers.Scoped(stream))
    await _warm_in_scopes(container, "stream")
    gate.clear()
    log.clear()
    async with container.scope():
        task = asyncio.ensure_future(container.stream())
        await asyncio.sleep(0)
    gate.set()
    with pytest.raises(NoActiveScopeError):
        await task
    assert log == ["ended"]


async def test_an_object_whose_arguments_came_when_the_scope_had_ended_is_not_made():
    gate, log = asyncio.Event(), []

    async def wait() -> Any:
        await gate.wait()
        return Thing()

    def generate(argument: Any) -> Iterator[Any]:
        log.append("opened")
        yield argument

    gate.set()
    container = _container(single=providers.Singleton(wait))
    container.late = providers.Scoped(generate, container.single)
    await _warm_in_scopes(container, "late")
    container.single.reset()
    gate.clear()
    async with container.scope():
        container.late.answer_by(function_of(*written(container.late)))
        task = asyncio.ensure_future(container.late())
        await asyncio.sleep(0)
    gate.set()
    log.clear()
    with pytest.raises(NoActiveScopeError):
        await task
    assert log == []


async def test_an_awaitable_that_outlives_the_scope_says_so():
    container = _container(waited=providers.Scoped(_later))
    await _warm_in_scopes(container, "waited")
    async with container.scope():
        awaitable = container.waited()
    with pytest.raises(NoActiveScopeError):
        await awaitable


@pytest.mark.parametrize("kind", [StopIteration, GeneratorExit, KeyboardInterrupt, BoomError])
async def test_what_the_body_raises_goes_through_the_generators_of_plans(kind):
    log: list[Any] = []

    def generate() -> Iterator[Any]:
        try:
            yield Thing()
        except BaseException as error:
            log.append(type(error))
            raise

    async def stream(argument: Any) -> AsyncIterator[Any]:
        try:
            yield argument
        except BaseException as error:
            log.append(type(error))
            raise

    inner = providers.Scoped(generate)
    container = _container(inner=inner, outer=providers.Scoped(stream, inner))
    await _warm_in_scopes(container, "outer")
    with pytest.raises(kind):
        async with container.scope():
            await container.outer()
            raise kind
    assert log == [kind, kind]


@pytest.mark.parametrize("kind", [StopIteration, GeneratorExit, KeyboardInterrupt, BoomError])
def test_what_a_constructor_raises_comes_out_of_a_plan_and_frees_the_scope(kind):
    failing: list[int] = []

    def make() -> Any:
        if failing:
            raise kind
        return Thing()

    def generate(argument: Any) -> Iterator[Any]:
        if failing:
            raise kind
        yield argument

    container = _container(made=providers.Scoped(make))
    container.outer = providers.Scoped(generate, container.made)
    for _ in range(3):
        with container.scope():
            container.outer()
    with container.scope() as scope:
        failing.append(1)
        with pytest.raises(kind):
            container.outer()
        failing.clear()
        assert _in_threads(lambda _: scope.get(container.outer), 1)[0] is container.made()


async def test_an_object_asked_to_be_awaited_is():
    leaf = providers.Object(5)
    leaf.enable_async_mode()
    outer = providers.Factory(_of, leaf)
    assert [await leaf() for _ in range(3)] == [5, 5, 5]
    assert [await outer() for _ in range(3)] == [(5,)] * 3


async def test_a_dependency_given_later_tells_whether_it_is_awaited():
    class Container(DeclarativeContainer):
        given: Any = providers.Dependency()
        outer = providers.Factory(_of, given)

    container = Container()
    with pytest.raises(Exception, match="not defined"):
        container.outer()
    container.given.override(providers.Factory(_later))
    for _ in range(3):
        assert isinstance((await container.outer())[0], Thing)


@pytest.mark.parametrize("kind", [providers.Factory, providers.Singleton, providers.Scoped])
@pytest.mark.parametrize("target", [Thing, _later])
def test_a_circle_is_named_when_it_is_called(kind, target):
    first = kind(target)
    first.add_args(kind(_of, first))
    container = _container(first=first)
    for _ in range(3):
        with pytest.raises(CircularDependencyError) as caught:
            container.first()
    assert caught.value.path == ("first", "_of", "first")


def test_a_circle_in_a_scope_is_told_by_dotted_names():
    first = providers.Scoped(Thing)
    first.add_args(providers.Factory(_of, first))
    container = _container(first=first)
    with container.scope(), pytest.raises(CircularDependencyError, match="first -> _of -> first"):
        container.first()


def test_a_circle_through_a_part_and_its_dependency_is_named():
    class Part(DeclarativeContainer):
        given: Any = providers.Dependency()
        inner = providers.Factory(_of, given)

    class Container(DeclarativeContainer):
        outer: Any = providers.Factory(Thing)
        part = providers.Container(Part, given=outer)

    container = Container()
    container.outer.add_args(container.part.inner)
    for name in ("outer", "part.inner"):
        with pytest.raises(CircularDependencyError) as caught:
            container.get(name)
        assert sorted(set(caught.value.path)) == ["inner", "outer"]
        assert caught.value.path[0] == caught.value.path[-1]


def test_a_circle_closed_by_a_dependency_given_later_is_named():
    class Container(DeclarativeContainer):
        given: Any = providers.Dependency()
        outer = providers.Factory(Thing, given)

    container = Container()
    with pytest.raises(Exception, match="not defined"):
        container.outer()
    container.given.override(container.outer)
    with pytest.raises(CircularDependencyError, match="outer -> outer"):
        container.outer()


def test_a_circle_closed_by_an_override_is_named_and_goes_with_it():
    container = _container(leaf=providers.Factory(Thing))
    container.outer = providers.Factory(_of, container.leaf)
    _warm(container.outer)
    circle = container.override(leaf=providers.Factory(Thing, container.outer))
    with circle, pytest.raises(CircularDependencyError):
        container.outer()
    assert _warm(container.outer)[0].args == ()


def test_what_only_hands_on_a_provider_or_chooses_another_is_no_circle():
    config = providers.Configuration()
    config.set("kind", "plain")
    first = providers.Factory(_of)
    chosen = providers.Selector(config.kind, plain=providers.Object(1), circle=first)
    first.add_args(chosen, first.provider, providers.DelegatedFactory(_of, first))
    assert _warm(first)[0] == 1
    named: Any = providers.Factory(dict)
    named.add_kwargs(itself=named)
    assert named(itself=1) == {"itself": 1}


def test_a_built_singleton_closes_no_circle():
    single = providers.Singleton(Thing)
    before = single()
    single.add_args(providers.Factory(_of, single))
    assert _warm(single) is before


def test_a_plan_that_was_written_while_a_declaration_changed_is_not_kept():
    changes: list[Any] = []

    class Maker:
        @property
        def __wrapped__(self) -> Any:
            """What a plan asks for while it is written."""
            if changes:
                changes.pop()()
            raise AttributeError

        def __call__(self, *args: Any) -> Any:
            return args

    leaf = providers.Factory(_of, 1)
    outer = providers.Factory(Maker(), leaf)
    outer()
    changes.append(lambda: leaf.add_args(2))
    outer()
    assert not changes
    assert _warm(outer) == ((1, 2),)
