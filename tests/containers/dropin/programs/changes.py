"""Providers that are asked again and again while their declaration changes."""

from typing import Any

from dependency_injector import containers, providers


class Part:
    def __init__(self, number: int = 0, *, color: str = "grey") -> None:
        self.number = number
        self.color = color


class Other(Part): ...


class Whole:
    def __init__(self, part: Any, extra: Any = None) -> None:
        self.part = part
        self.extra = extra


class Shop(containers.DeclarativeContainer):
    config = providers.Configuration(default={"number": 1, "color": "red"})
    number = providers.Object(1)
    part = providers.Factory(Part, number)
    kept = providers.Singleton(Part, number)
    made = providers.Callable(Part, number)
    whole = providers.Factory(Whole, part=part)
    top = providers.Factory(Whole, whole, extra=kept)
    configured = providers.Factory(Part, config.number, color=config.color)
    chosen = providers.Selector(config.color, red=part, blue=kept)
    listed = providers.Factory(Whole, providers.List(part, kept), providers.Dict(made=made))


def asked(provider: Any) -> Any:
    for _ in range(3):
        provider()
    return provider()


def program_an_object_deep_down_is_overridden_and_given_back():
    shop = Shop()
    assert asked(shop.top).part.part.number == 1
    for _ in range(2):
        with shop.number.override(2):
            assert asked(shop.top).part.part.number == asked(shop.part).number == 2
            assert asked(shop.made).number == 2
            assert asked(shop.top).extra.number == 1
        assert asked(shop.top).part.part.number == asked(shop.number) == 1
    return shop


def program_an_object_is_given_another_value():
    shop = Shop()
    asked(shop.top)
    shop.number.set_provides(5)
    assert asked(shop.top).part.part.number == asked(shop.made).number == asked(shop.number) == 5
    return shop


def program_arguments_change():
    shop = Shop()
    asked(shop.top)
    shop.part.set_args(7)
    assert asked(shop.top).part.part.number == 7
    shop.part.clear_args().add_kwargs(color="gold")
    assert (asked(shop.whole).part.number, asked(shop.top).part.part.color) == (0, "gold")
    shop.part.add_attributes(number=9)
    assert asked(shop.top).part.part.number == 9
    shop.part.clear_attributes().clear_kwargs()
    assert (asked(shop.top).part.part.number, asked(shop.part).color) == (0, "grey")
    shop.part.set_provides(Other)
    assert isinstance(asked(shop.top).part.part, Other)
    return shop


def program_a_singleton_inside_is_reset_and_overridden():
    shop = Shop()
    first = asked(shop.top).extra
    assert first is asked(shop.kept)
    shop.kept.reset()
    second = asked(shop.top).extra
    assert second is asked(shop.kept) is not first
    with shop.kept.override(Other()):
        assert isinstance(asked(shop.top).extra, Other)
    assert asked(shop.top).extra is second
    shop.reset_singletons()
    assert asked(shop.top).extra is not second
    shop.kept.set_args(4)
    shop.kept.reset()
    assert asked(shop.top).extra.number == 4
    return shop


def program_configuration_changes():
    shop = Shop()
    assert (asked(shop.configured).number, asked(shop.configured).color) == (1, "red")
    shop.config.number.from_value(2)
    assert asked(shop.configured).number == 2
    shop.config.from_dict({"number": 3, "color": "blue"})
    assert (asked(shop.configured).number, asked(shop.configured).color) == (3, "blue")
    assert asked(shop.chosen) is shop.kept()
    with shop.config.color.override("red"):
        assert asked(shop.chosen) is not asked(shop.chosen)
    with shop.config.override({"number": 8, "color": "red"}):
        assert asked(shop.configured).number == 8
    assert asked(shop.configured).number == 3
    return shop


def program_overrides_of_every_kind_come_and_go():
    shop = Shop()
    stand_ins = [
        providers.Object(Part(10)),
        providers.Factory(Part, 10),
        providers.Singleton(Part, 10),
        providers.Callable(Part, 10),
        providers.ThreadLocalSingleton(Part, 10),
        providers.Selector(lambda: "a", a=providers.Factory(Part, 10)),
        providers.Dependency(default=providers.Factory(Part, 10)),
    ]
    for stand_in in stand_ins:
        assert asked(shop.top).part.part.number == 1
        shop.part.override(stand_in)
        assert asked(shop.top).part.part.number == asked(shop.part).number == 10
        shop.part.reset_last_overriding()
    assert asked(shop.top).part.part.number == 1
    return shop


def program_what_stands_in_is_overridden_itself():
    shop = Shop()
    stand_in = providers.Factory(Part, 20)
    shop.part.override(stand_in)
    assert asked(shop.top).part.part.number == 20
    stand_in.override(providers.Factory(Part, 30))
    assert asked(shop.top).part.part.number == 30
    stand_in.set_args(21)
    stand_in.reset_override()
    assert asked(shop.top).part.part.number == 21
    shop.part.reset_override()
    assert asked(shop.top).part.part.number == 1
    return shop


def program_collections_follow():
    shop = Shop()
    listed = asked(shop.listed)
    assert [part.number for part in listed.part] == [1, 1]
    shop.number.override(4)
    listed = asked(shop.listed)
    assert [part.number for part in listed.part] == [4, 1]
    assert listed.extra["made"].number == 4
    return shop


def program_a_container_overridden_while_it_is_in_use():
    class Other(containers.DeclarativeContainer):
        part = providers.Factory(Part, 50)

    shop = Shop()
    assert asked(shop.top).part.part.number == 1
    shop.override(Other())
    assert asked(shop.top).part.part.number == 50
    shop.reset_override()
    assert asked(shop.top).part.part.number == 1
    return shop


def program_a_dependency_given_late_and_changed():
    class Needing(containers.DeclarativeContainer):
        part = providers.Dependency(instance_of=Part)
        whole = providers.Factory(Whole, part)

    needing = Needing(part=providers.Factory(Part, 1))
    assert asked(needing.whole).part.number == 1
    needing.part.override(providers.Factory(Part, 2))
    assert asked(needing.whole).part.number == 2
    needing.part.reset_last_overriding()
    assert asked(needing.whole).part.number == 1
    return needing


def program_callers_arguments_between_plain_calls():
    shop = Shop()
    own = Part(99)
    asked(shop.whole)
    assert shop.whole(part=own).part is own
    assert shop.whole(extra=1).extra == 1
    assert shop.whole(part__color="pink").part.color == "pink"
    assert asked(shop.whole).extra is None
    asked(shop.kept)
    assert shop.kept(12).number == 1
    return shop


async def program_async_providers_change():
    async def late(number: int = 1) -> Part:
        return Part(number)

    class Late(containers.DeclarativeContainer):
        number = providers.Object(1)
        part = providers.Factory(late, number)
        kept = providers.Singleton(late, number)
        whole = providers.Factory(Whole, part, extra=kept)

    shop = Late()
    for _ in range(3):
        whole = await shop.whole()
    assert (whole.part.number, whole.extra.number) == (1, 1)
    with shop.number.override(2):
        assert (await shop.whole()).part.number == 2
    assert (await shop.whole()).part.number == 1
    shop.kept.reset()
    shop.number.set_provides(3)
    assert (await shop.whole()).extra.number == 3
    assert (await shop.whole(extra=5)).extra == 5
    return shop
