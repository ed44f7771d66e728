"""Functions, methods and classes, marked by default or by annotation."""

import sys
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from dependency_injector import containers, providers
from dependency_injector.wiring import (
    Provide,
    Provider,
    as_,
    as_float,
    as_int,
    inject,
    invariant,
    provided,
    required,
)


class Kettle:
    def __init__(self, litres: int = 1) -> None:
        self.litres = litres
        self.brand = {"name": "steam"}

    def boil(self, degrees: int = 100) -> str:
        return f"{degrees} degrees"


class Kitchen(containers.DeclarativeContainer):
    config = providers.Configuration(
        default={
            "port": "80",
            "price": "1.5",
            "word": "tea",
            "use": "b",
            "all": {"a": {"n": 1}, "b": {"n": 2}},
        }
    )
    kettle = providers.Singleton(Kettle, litres=2)
    cup = providers.Factory(dict, of="tea")


@inject
def by_default(kettle: Kettle = Provide[Kitchen.kettle]) -> Kettle:
    return kettle


@inject
def by_annotation(kettle: Annotated[Kettle, Provide[Kitchen.kettle]]) -> Kettle:
    return kettle


@inject
def by_name(kettle: Kettle = Provide["kettle"]) -> Kettle:
    return kettle


@inject
def by_annotated_name(kettle: Annotated[Kettle, Provide["kettle"]]) -> Kettle:
    return kettle


@inject
def by_container(kitchen: Any = Provide["<container>"]) -> Any:
    return kitchen


@inject
def by_class(kitchen: Any = Provide[Kitchen]) -> Any:
    return kitchen


@inject
def with_others(
    first: int, /, second: int = 2, *, kettle: Kettle = Provide[Kitchen.kettle], **rest: int
) -> Any:
    return first, second, kettle.litres, rest


@inject
def modified(
    port: int = Provide["config.port", as_int()],
    price: float = Provide["config.price", as_float()],
    words: list[str] = Provide["config.word", as_(list)],
    needed: int = Provide["config.port", required().as_int()],
    chosen: dict[str, int] = Provide["config.all", invariant("config.use")],
    name: str = Provide["kettle", provided().brand["name"]],
    boiled: str = Provide["kettle", provided().boil.call(90)],
) -> Any:
    return port, price, words, needed, chosen, name, boiled


@inject
def declared_modifiers(
    port: int = Provide[Kitchen.config.port.as_int()],
    needed: str = Provide[Kitchen.config.port.required()],
    chosen: dict[str, int] = Provide[Kitchen.config.all[Kitchen.config.use]],
    name: str = Provide[Kitchen.kettle.provided.brand["name"]],
    boiled: str = Provide[Kitchen.kettle.provided.boil.call()],
) -> Any:
    return port, needed, chosen, name, boiled


@inject
def lacks_a_setting(value: str = Provide["config.nothing", required()]) -> str:
    return value


@inject
def the_provider(
    make: Callable[..., dict[str, str]] = Provider[Kitchen.cup],
    same: Callable[..., dict[str, str]] = Provide[Kitchen.cup.provider],
    third: Callable[..., dict[str, str]] = Provider["cup"],
) -> Any:
    return make(size="big"), same(), third()


@inject
async def in_a_coroutine(kettle: Kettle = Provide[Kitchen.kettle]) -> Kettle:
    return kettle


@inject
async def in_an_async_generator(kettle: Kettle = Provide[Kitchen.kettle]) -> AsyncIterator[int]:
    for _ in range(2):
        yield kettle.litres


class Cook:
    @inject
    def __init__(self, name: str, kettle: Kettle = Provide[Kitchen.kettle]) -> None:
        self.name = name
        self.kettle = kettle

    @inject
    def boil(self, kettle: Kettle = Provide[Kitchen.kettle]) -> str:
        return kettle.boil()

    @classmethod
    @inject
    def of_class(cls, kettle: Kettle = Provide[Kitchen.kettle]) -> Any:
        return cls, kettle

    @staticmethod
    @inject
    def of_none(kettle: Kettle = Provide[Kitchen.kettle]) -> Kettle:
        return kettle


class Attributes:
    kettle: Kettle = Provide[Kitchen.kettle]
    word: str = Provide["config.word"]


module_kettle: Kettle = Provide[Kitchen.kettle]
module_word: Annotated[str, Provide["config.word"]]


def wired() -> Any:
    kitchen = Kitchen()
    kitchen.wire(modules=[__name__])
    return kitchen


def program_every_spelling_of_a_marker():
    kitchen = wired()
    kettle = kitchen.kettle()
    assert by_default() is by_name() is kettle
    assert by_annotation() is by_annotated_name() is kettle  # type: ignore[call-arg]  # injected
    assert by_container() is kitchen
    kitchen.unwire()
    return kitchen


def program_modules_as_objects():
    kitchen = Kitchen()
    kitchen.wire(modules=[sys.modules[__name__]])
    assert by_default() is kitchen.kettle()
    kitchen.unwire()
    return kitchen


def program_the_callers_argument_wins():
    kitchen = wired()
    own = Kettle()
    assert by_default(kettle=own) is own
    assert with_others(1, third=3) == (1, 2, 2, {"third": 3})
    assert with_others(1, 5, kettle=own) == (1, 5, 1, {})
    kitchen.unwire()


def program_overrides_are_followed():
    kitchen = wired()
    own = Kettle(7)
    with kitchen.kettle.override(own):
        assert by_default() is by_name() is own
    assert by_default() is kitchen.kettle()
    kitchen.kettle.override(providers.Factory(Kettle))
    assert by_default() is not by_default()
    kitchen.unwire()
    return kitchen


def program_names_with_modifiers():
    kitchen = wired()
    assert modified() == (80, 1.5, ["t", "e", "a"], 80, {"n": 2}, "steam", "90 degrees")
    kitchen.unwire()
    return kitchen


def program_declared_modifiers():
    kitchen = wired()
    assert declared_modifiers() == (80, "80", {"n": 2}, "steam", "100 degrees")
    kitchen.unwire()


def program_a_required_setting_is_told_when_it_is_asked():
    kitchen = wired()
    try:
        lacks_a_setting()
    except Exception as error:
        assert "config.nothing" in str(error)
    else:
        raise AssertionError
    finally:
        kitchen.unwire()


def program_providers_themselves():
    kitchen = wired()
    assert the_provider() == ({"of": "tea", "size": "big"}, {"of": "tea"}, {"of": "tea"})
    kitchen.unwire()
    return kitchen


async def program_coroutines_and_async_generators():
    kitchen = wired()
    assert await in_a_coroutine() is kitchen.kettle()
    assert [item async for item in in_an_async_generator()] == [2, 2]
    kitchen.unwire()


def program_methods():
    kitchen = wired()
    cook = Cook("Ada")
    assert (cook.name, cook.kettle) == ("Ada", kitchen.kettle())
    assert cook.boil() == "100 degrees"
    assert Cook.of_class() == (Cook, kitchen.kettle())
    assert Cook.of_none() is cook.of_none() is kitchen.kettle()
    kitchen.unwire()


def program_attributes_of_classes_and_modules():
    kitchen = wired()
    assert Attributes.kettle is Attributes().kettle is kitchen.kettle()
    assert Attributes.word == "tea"
    assert module_kettle is kitchen.kettle()
    kitchen.unwire()
    return kitchen


def program_another_container_takes_over():
    first, second = wired(), wired()
    assert by_default() is second.kettle()
    second.unwire()
    first.unwire()


def program_names_are_kept():
    assert by_default.__name__ == "by_default"
    assert with_others.__doc__ is None
