"""Overriding a container class: who sees it meanwhile, and that nothing of it stays."""

import asyncio
import copy
import gc
import weakref
from typing import Any

import pytest
from dependency_injector import containers as plain_containers
from dependency_injector import providers as plain
from dependency_injector.errors import Error
from hypothesis import given, settings
from hypothesis import strategies as st

from containers import Container, DeclarativeContainer, DynamicContainer, override, providers
from containers.errors import OverrideTypeError, UnknownProviderError
from infrastructure.llm import ScriptedProvider


class Clock:
    def now(self) -> str:
        return "real"


class Stopped(Clock):
    def now(self) -> str:
        return "stopped"


class Alarm:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock


def declared(kind: Any = providers) -> Any:
    class Part(DeclarativeContainer):
        clock = kind.Singleton(Clock)
        alarm = kind.Singleton(Alarm, clock)

    class House(DeclarativeContainer):
        clock = kind.Singleton(Clock)
        alarm = kind.Singleton(Alarm, clock)
        fresh = kind.Factory(Alarm, clock)
        part = providers.Container(Part)

    return House


@pytest.fixture(params=[providers, plain], ids=["ours", "plain"])
def house_type(request: pytest.FixtureRequest) -> Any:
    return declared(request.param)


def seen(container: Any) -> set[str]:
    return {container.clock().now(), container.alarm().clock.now(), container.fresh().clock.now()}


def test_the_class_its_containers_and_those_made_meanwhile_see_it(house_type: Any):
    before = house_type()
    before.alarm()
    with house_type.override(clock=Stopped()):
        assert seen(house_type) == seen(before) == seen(house_type()) == {"stopped"}


def test_nothing_of_it_stays_in_any_of_them(house_type: Any):
    before = house_type()
    with house_type.override(clock=Stopped()):
        meanwhile = house_type()
        for one in (house_type, before, meanwhile):
            seen(one)
    assert seen(house_type) == seen(before) == seen(meanwhile) == seen(house_type()) == {"real"}


def test_what_was_built_before_comes_back_by_identity(house_type: Any):
    before = house_type()
    alarm, of_class = before.alarm(), house_type.alarm()
    with house_type.override(clock=Stopped()):
        assert before.alarm() is not alarm
    assert before.alarm() is alarm
    assert house_type.alarm() is of_class


def test_containers_share_the_stand_in(house_type: Any):
    clock = Stopped()
    with house_type.override(clock=clock):
        assert house_type().clock() is house_type().clock() is house_type.clock() is clock


def test_paths_and_providers_can_be_named(house_type: Any):
    container = house_type()
    for key in ("part.clock", house_type.part.clock):
        with override(house_type, {key: Stopped()}):
            assert container.part.alarm().clock.now() == "stopped"
            assert house_type().part.alarm().clock.now() == "stopped"
            assert seen(container) == {"real"}
        assert container.part.alarm().clock.now() == "real"


def test_the_function_does_the_same_for_a_class_with_a_provider_of_that_name():
    class Busy(DeclarativeContainer):
        clock = providers.Singleton(Clock)
        override: Any = providers.Object("taken")

    container = Busy()
    with override(Busy, clock=Stopped()):
        assert container.clock().now() == Busy().clock().now() == "stopped"
    assert container.clock().now() == Busy.clock().now() == "real"


def test_an_unknown_name_and_a_wrong_stand_in_are_refused(house_type: Any):
    with pytest.raises(UnknownProviderError, match="Did you mean 'clock'"):
        house_type.override(clok=Stopped())
    with pytest.raises(OverrideTypeError, match="it has no now"):
        house_type.override(clock="a string")
    assert seen(house_type()) == {"real"}


def test_containers_of_a_subclass_see_it_where_they_inherit(house_type: Any):
    class Cottage(house_type):  # type: ignore[misc]  # a class that is only known when run
        pass

    class Tent(house_type):  # type: ignore[misc]  # a class that is only known when run
        clock = providers.Singleton(Clock)

    cottage, tent = Cottage(), Tent()
    with house_type.override(clock=Stopped()):
        assert seen(cottage) == seen(Cottage()) == {"stopped"}
        assert tent.clock().now() == Tent().clock().now() == "real"
    assert seen(cottage) == {"real"}


def test_a_class_used_as_a_part_is_seen_in_the_whole():
    class Part(DeclarativeContainer):
        clock = providers.Singleton(Clock)

    class Whole(DeclarativeContainer):
        part = providers.Container(Part)
        alarm = providers.Singleton(Alarm, part.clock)

    whole = Whole()
    with Part.override(clock=Stopped()):
        assert whole.alarm().clock.now() == Whole().alarm().clock.now() == "stopped"
    assert whole.alarm().clock.now() == Whole().alarm().clock.now() == "real"


def test_a_deep_copy_made_meanwhile_follows(house_type: Any):
    container = house_type()
    with house_type.override(clock=Stopped()):
        copied = copy.deepcopy(container)
        assert seen(copied) == {"stopped"}
    assert seen(copied) == {"real"}


def test_what_a_container_was_given_when_it_was_made_stands(house_type: Any):
    own = Clock()
    with house_type.override(clock=Stopped()):
        assert house_type(clock=own).clock() is own


def test_overrides_nest_and_end_in_any_order(house_type: Any):
    outer, inner = Stopped(), Stopped()
    one, two = house_type.override(clock=outer), house_type.override(clock=inner)
    container = house_type()
    assert container.alarm().clock is inner
    one.undo()
    assert container.alarm().clock is house_type().alarm().clock is inner
    two.undo()
    two.undo()
    assert seen(container) == seen(house_type()) == {"real"}


def test_overrides_of_a_class_and_of_a_container_nest(house_type: Any):
    container, own = house_type(), Stopped()
    with house_type.override(clock=Stopped()), container.override(clock=own):
        assert container.alarm().clock is own
        assert house_type().alarm().clock is not own
    assert seen(container) == {"real"}


async def test_isolated_ones_are_the_tasks_own():
    house_type = declared()
    container, both = house_type(), asyncio.Barrier(2)

    async def task(clock: Clock) -> bool:
        with house_type.override(clock=clock, isolated=True):
            await both.wait()
            same = container.alarm().clock is house_type().alarm().clock is clock
            await both.wait()
        return same and seen(container) == {"real"}

    assert all(await asyncio.gather(task(Stopped()), task(Stopped())))


def test_a_container_dropped_meanwhile_is_collected():
    class House(DeclarativeContainer):
        clock = providers.Singleton(Clock)

    with House.override(clock=Stopped()):
        dropped = weakref.ref(House())
        gc.collect()
        assert dropped() is None


def test_a_class_dropped_is_collected():
    house_type = declared()
    with house_type.override(clock=Stopped()):
        house_type()
    dropped = weakref.ref(house_type)
    del house_type
    gc.collect()
    assert dropped() is None


class Fakes(DeclarativeContainer):
    clock = providers.Singleton(Stopped)


def test_a_class_overridden_by_a_class_is_seen_by_those_made_meanwhile(house_type: Any):
    before = house_type()
    with house_type.override(Fakes):
        assert house_type().clock().now() == house_type.clock().now() == "stopped"
        assert before.clock().now() == "real"


def test_nothing_of_an_overriding_class_stays(house_type: Any):
    with house_type.override(Fakes):
        meanwhile = house_type()
        for one in (house_type, meanwhile):
            seen(one)
    assert seen(house_type) == seen(meanwhile) == seen(house_type()) == {"real"}
    assert house_type.overridden == ()


def test_objects_of_the_class_come_back_after_an_overriding_class():
    house_type = declared()
    alarm = house_type.alarm()
    with house_type.override(Fakes):
        assert house_type.clock().now() == "stopped"
    assert house_type.alarm() is alarm


def test_overriding_classes_end_in_any_order(house_type: Any):
    class Others(DeclarativeContainer):
        clock: Any = providers.Factory(Stopped)

    one, two = house_type.override(Fakes), house_type.override(Others)
    meanwhile = house_type()
    one.undo()
    assert house_type.overridden == (Others,)
    assert meanwhile.clock() is not meanwhile.clock()
    two.undo()
    assert seen(meanwhile) == seen(house_type) == {"real"}


def test_the_decorator_and_its_reset_are_dependency_injectors(house_type: Any):
    @override(house_type)
    class Overriding(DeclarativeContainer):
        clock = providers.Singleton(Stopped)

    assert house_type().clock().now() == "stopped"
    assert house_type.overridden == (Overriding,)
    house_type.reset_override()
    assert house_type().clock().now() == "real"


def test_a_class_cannot_override_itself(house_type: Any):
    with pytest.raises(Error, match="with itself"):
        house_type.override(house_type)


def test_a_plain_class_can_be_overridden_by_the_function():
    class House(plain_containers.DeclarativeContainer):
        clock = plain.Singleton(Clock)
        alarm = plain.Singleton(Alarm, clock)

    with override(House, clock=Stopped()):
        assert House.alarm().clock.now() == "stopped"
    assert House.alarm().clock.now() == "real"


def test_a_dynamic_container_has_no_class_to_follow():
    container = DynamicContainer()
    container.clock = providers.Singleton(Clock)
    with container.override(clock=Stopped()):
        assert container.clock().now() == "stopped"
    assert copy.deepcopy(container).clock().now() == "real"


@given(steps=st.lists(st.integers(0, 4), max_size=12))
@settings(max_examples=40)
def test_after_any_sequence_every_container_gives_what_a_fresh_one_gives(steps: list[int]):
    house_type = declared()
    made, active = [house_type()], []
    for step in steps:
        if step == 0:
            active.append(house_type.override(clock=Stopped()))
        elif step == 1:
            active.append(made[-1].override(clock=Stopped()))
        elif step == 2:
            made.append(house_type())
        elif step == 3 and active:
            active.pop(len(active) // 2).undo()
        for one in (house_type, *made):
            seen(one)
    while active:
        active.pop(0).undo()
    assert all(seen(one) == {"real"} for one in (house_type, house_type(), *made))


def test_the_root_container_is_overridden_as_a_class():
    before, fake = Container(profile="test"), ScriptedProvider()
    real = before.llm.default()
    with Container.override(llm=fake):
        meanwhile = Container(profile="test")
        assert before.llm.default() is meanwhile.llm.default() is fake
    assert before.llm.default() is real
    assert meanwhile.llm.default() is not fake
