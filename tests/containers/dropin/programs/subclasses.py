"""Providers of one's own, made of the shipped ones."""

from typing import Any

from dependency_injector import containers, providers


class Thing:
    def __init__(self, name: str = "thing") -> None:
        self.name = name
        self.seen = 0


class Keeper:
    def __init__(self, thing: Any) -> None:
        self.thing = thing


class CountedFactory(providers.Factory):
    calls = 0

    def _provide(self, args: Any, kwargs: Any) -> Any:
        type(self).calls += 1
        return super()._provide(args, kwargs)


class LoudSingleton(providers.Singleton):
    def __init__(self, *args: Any, volume: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.volume = volume

    def __deepcopy__(self, memo: Any) -> Any:
        copied = super().__deepcopy__(memo)
        copied.volume = self.volume
        return copied


class Upper(providers.Callable):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs).upper()


class Named(providers.Object):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return f"named {super().__call__(*args, **kwargs)}"


class Watched(providers.Factory):
    def override(self, provider: Any) -> Any:
        watched.append("override")
        return super().override(provider)

    def reset_override(self) -> Any:
        watched.append("reset")
        return super().reset_override()


watched: list[str] = []


def program_a_factory_that_counts():
    class Box(containers.DeclarativeContainer):
        thing = CountedFactory(Thing, "x")
        keeper = providers.Factory(Keeper, thing)

    box = Box()
    for _ in range(4):
        assert box.keeper().thing.name == "x"
        box.thing()
    assert CountedFactory.calls == 8
    with box.thing.override(Thing("y")):
        assert box.keeper().thing.name == "y"
    assert CountedFactory.calls == 8
    return box


def program_a_singleton_with_settings_of_its_own():
    class Box(containers.DeclarativeContainer):
        thing = LoudSingleton(Thing, "x", volume=9)
        keeper = providers.Factory(Keeper, thing)

    box = Box()
    assert box.thing.volume == 9
    assert [box.keeper().thing for _ in range(3)] == [box.thing()] * 3
    assert Box().thing() is not box.thing()
    return box


def program_a_callable_and_an_object_that_change_what_they_give():
    class Box(containers.DeclarativeContainer):
        word = Named("word")
        text = Upper("{}!".format, word)
        thing = providers.Factory(Thing, text)
        raw = providers.Factory(Thing, word)

    box = Box()
    for _ in range(4):
        assert box.text() == box.thing().name == "NAMED WORD!"
        assert box.raw().name == "named word"
    box.word.override("other")
    assert box.word() in {"other", "named other"}
    return box


def program_methods_of_a_subclass_are_called():
    class Box(containers.DeclarativeContainer):
        thing = Watched(Thing)

    box = Box()
    watched.clear()
    with box.override_providers(thing=Thing("y")):
        assert box.thing().name == "y"
    box.thing.override(Thing("z"))
    box.reset_override()
    assert watched == ["override", "override", "reset"]
    assert box.thing().name == "thing"
    return box


def program_a_target_named_relative_to_its_module():
    assert providers.Factory(".programs_names.Item")().name == "item"
    assert providers.Singleton(".programs_names.Item")().name == "item"
    assert providers.Callable(".programs_names.Item")().name == "item"
    assert providers.Resource(".programs_names.Item")().name == "item"
    assert isinstance(providers.Factory("Thing")(), Thing)
    assert providers.Factory("dict", a=1)() == {"a": 1}


def program_slots_and_states_of_objects_are_the_objects():
    class Slotted:
        __slots__ = ("value",)

        def __init__(self, value: int) -> None:
            self.value = value

    class Falsy:
        def __bool__(self) -> bool:
            return False

        def __eq__(self, other: object) -> bool:
            raise AssertionError("nobody compares me")

        __hash__ = object.__hash__

    class Box(containers.DeclarativeContainer):
        slotted = providers.Factory(Slotted, 1)
        falsy = providers.Singleton(Falsy)
        keeper = providers.Factory(Keeper, falsy)

    box = Box()
    for _ in range(3):
        assert box.slotted().value == 1
        assert box.keeper().thing is box.falsy()
    return box


def program_targets_of_many_kinds():
    class Maker:
        def __call__(self, number: int) -> int:
            return number + 1

        def method(self, number: int) -> int:
            return number + 2

        @classmethod
        def of_class(cls, number: int) -> int:
            return number + 3

        @staticmethod
        def of_none(number: int) -> int:
            return number + 4

    from functools import partial

    maker = Maker()
    targets = [maker, maker.method, Maker.of_class, Maker.of_none, partial(maker, 1), lambda n: n]
    made = [
        [
            providers.Factory(target, *([] if isinstance(target, partial) else [10]))()
            for _ in range(3)
        ]
        for target in targets
    ]
    assert [one[2] for one in made] == [11, 12, 13, 14, 2, 10]
    assert providers.Factory(dict, [("a", 1)], b=2)() == {"a": 1, "b": 2}
    assert providers.Callable(print, end="")() is None
    assert providers.Factory(type, "Made", (), {})().__name__ == "Made"
    keywords = providers.Factory(dict, **{"class": 1, "not an identifier": 2})
    assert [keywords() for _ in range(3)][2] == {"class": 1, "not an identifier": 2}
