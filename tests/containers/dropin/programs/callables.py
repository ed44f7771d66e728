"""Callables, objects, lists, dicts and aggregates."""

from typing import Any

from dependency_injector import containers, providers
from dependency_injector.errors import Error, NoSuchProviderError


def hashed(password: str, salt: str = "", rounds: int = 1) -> str:
    return "|".join([password[::-1], salt] * rounds)


def raised(kind: type[BaseException], call: Any, *args: Any, **kwargs: Any) -> bool:
    try:
        call(*args, **kwargs)
    except kind:
        return True
    return False


def program_a_callable_with_injections():
    class Security(containers.DeclarativeContainer):
        salt = providers.Object("pepper")
        hasher = providers.Callable(hashed, salt=salt, rounds=2)
        checked = providers.Callable(str.endswith, providers.Callable(hashed, "ab"), "|")

    security = Security()
    assert security.hasher("abc") == "cba|pepper|cba|pepper"
    assert security.hasher("abc", rounds=1) == "cba|pepper"
    assert security.checked() is True
    return security


def program_positional_arguments_of_the_caller_come_last():
    assert providers.Callable(divmod, 17)(5) == (3, 2)
    assert providers.Callable(max, 1, 5)(9, 3) == 9


def program_a_callable_can_be_handed_on():
    hasher = providers.Callable(hashed, salt="s")
    keep = providers.Callable(lambda one: one, hasher.provider)
    assert keep() is hasher
    assert keep()("ab") == "ba|s"
    delegated = providers.DelegatedCallable(hashed)
    assert providers.Callable(lambda one: one, delegated)() is delegated
    held = providers.CallableDelegate(hasher)
    assert providers.Callable(lambda one: one, held)() is hasher


def program_an_abstract_callable_waits_for_its_override():
    abstract = providers.AbstractCallable(hashed)
    assert raised(Error, abstract, "x")
    abstract.override(providers.Callable(hashed, salt="z"))
    assert abstract("ab") == "ba|z"
    assert raised(Error, abstract.override, providers.Factory(object))


def program_injections_of_a_callable_can_be_changed():
    hasher = providers.Callable(hashed).add_kwargs(salt="a")
    assert hasher("x") == "x|a"
    hasher.set_kwargs(salt="b")
    assert hasher("x") == "x|b"
    hasher.set_provides(len).clear_kwargs()
    assert hasher("four") == 4
    assert hasher.provides is len


def program_an_object_is_given_as_it_is():
    thing = object()
    provider = providers.Object(thing)
    assert provider() is thing
    assert provider.provides is thing
    provider.set_provides("other")
    assert provider() == "other"
    assert providers.Callable(lambda one: one, providers.Object(hashed))() is hashed


def program_a_list_of_what_its_providers_give():
    class Menu(containers.DeclarativeContainer):
        first = providers.Factory(dict, dish="soup")
        second = providers.Singleton(dict, dish="stew")
        courses = providers.List(first, second, "coffee")
        served = providers.Factory(tuple, courses)

    menu = Menu()
    assert menu.courses() == [{"dish": "soup"}, {"dish": "stew"}, "coffee"]
    assert menu.courses()[1] is menu.second()
    assert menu.served() == ({"dish": "soup"}, {"dish": "stew"}, "coffee")
    menu.courses.add_args("mint")
    assert menu.courses("bill")[3:] == ["mint", "bill"]
    menu.courses.set_args(1)
    assert menu.courses() == [1]
    return menu


def program_a_dict_of_what_its_providers_give():
    class Menu(containers.DeclarativeContainer):
        price = providers.Object(7)
        prices = providers.Dict(soup=price, stew=9)
        by_kind = providers.Dict({int: price, ("a", "b"): "pair"}, extra=1)
        total = providers.Callable(lambda prices: sum(prices.values()), prices)

    menu = Menu()
    assert menu.prices() == {"soup": 7, "stew": 9}
    assert menu.by_kind() == {int: 7, ("a", "b"): "pair", "extra": 1}
    assert menu.total() == 16
    assert menu.prices(soup=1)["soup"] == 1
    menu.prices.add_kwargs(tea=2)
    assert menu.total() == 18
    menu.prices.set_kwargs(tea=3)
    assert menu.prices() == {"tea": 3}
    return menu


def program_an_aggregate_chooses_by_name():
    class Menu(containers.DeclarativeContainer):
        dishes = providers.Aggregate(
            soup=providers.Factory(dict, dish="soup"), water=providers.Object("water")
        )

    menu = Menu()
    assert menu.dishes("soup", hot=True) == {"dish": "soup", "hot": True}
    assert menu.dishes("water") == menu.dishes.water() == "water"
    assert set(menu.dishes.providers) == {"soup", "water"}
    assert raised(NoSuchProviderError, menu.dishes, "wine")
    assert raised(AttributeError, getattr, menu.dishes, "wine")
    menu.dishes.set_providers(wine=providers.Object("red"), water=providers.Object("still"))
    assert menu.dishes("wine") == "red"
    assert menu.dishes("water") == "still"
    return menu


def program_an_aggregate_takes_any_keys():
    dishes = providers.Aggregate({1: providers.Object("one"), str: providers.Object("text")})
    assert dishes(1) == "one"
    assert dishes(str) == "text"


def program_a_selector_asks_another_provider():
    class Menu(containers.DeclarativeContainer):
        config = providers.Configuration()
        size = providers.Object(3)
        dish = providers.Selector(
            config.dish, soup=providers.Factory(dict, size=size), stew=providers.Singleton(list)
        )
        plate = providers.Factory(dict, dish=dish)

    menu = Menu()
    menu.config.from_dict({"dish": "soup"})
    assert menu.dish() == {"size": 3}
    assert menu.dish(hot=1) == {"size": 3, "hot": 1}
    menu.config.dish.from_value("stew")
    assert menu.plate()["dish"] is menu.dish() == []
    assert menu.dish.soup() == {"size": 3}
    assert menu.dish.selector is menu.config.dish
    menu.config.dish.from_value("wine")
    assert raised(Error, menu.dish)
    with menu.config.dish.override("soup"):
        assert menu.dish() == {"size": 3}
    menu.config.dish.from_value(None)
    assert raised(Error, menu.dish)
    return menu


def program_a_selector_takes_a_callable_and_later_providers():
    wanted = ["a"]
    chosen = providers.Selector(lambda: wanted[0], a=providers.Object(1))
    assert chosen() == 1
    wanted[0] = "b"
    assert raised(Error, chosen)
    chosen.set_providers(b=providers.Object(2))
    assert chosen() == 2
    chosen.set_selector(providers.Object("b"))
    assert chosen() == 2
    assert "b" in chosen.providers


def program_a_selector_over_an_attribute_of_an_object():
    class Settings:
        kind = "wet"

    class Kitchen(containers.DeclarativeContainer):
        settings = providers.Singleton(Settings)
        cloth = providers.Selector(
            settings.provided.kind, wet=providers.Object("towel"), dry=providers.Object("brush")
        )

    kitchen = Kitchen()
    assert kitchen.cloth() == "towel"
    kitchen.settings().kind = "dry"
    assert kitchen.cloth() == "brush"
    return kitchen


async def program_a_coroutine_provider_gives_a_coroutine():
    async def fetch(page: int, size: int = 10) -> tuple[int, int]:
        return page, size

    async def other(page: int, size: int = 20) -> tuple[int, int]:
        return page, size

    class Site(containers.DeclarativeContainer):
        page = providers.Object(4)
        fetch_page = providers.Coroutine(fetch, page)

    site = Site()
    assert await site.fetch_page() == (4, 10)
    assert await site.fetch_page(size=5) == (4, 5)
    with site.fetch_page.override(providers.Coroutine(other, 1)):
        assert await site.fetch_page() == (1, 20)
    delegated = providers.DelegatedCoroutine(fetch)
    assert providers.Callable(lambda one: one, delegated)() is delegated
    abstract = providers.AbstractCoroutine(fetch)
    assert raised(Error, abstract, 1)
    abstract.override(providers.Coroutine(other, 9))
    assert await abstract() == (9, 20)
    return site


def program_a_coroutine_provider_refuses_what_is_none():
    assert raised(Error, providers.Coroutine, hashed)
