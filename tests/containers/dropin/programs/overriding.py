"""Overriding in all its forms, and taking it back."""

from typing import Any

from dependency_injector import containers, providers
from dependency_injector.errors import Error


class Bank:
    name = "real"

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit


class TestBank(Bank):
    name = "test"


class LocalBank(Bank):
    name = "local"


class Till:
    def __init__(self, bank: Bank) -> None:
        self.bank = bank


class Shop(containers.DeclarativeContainer):
    bank = providers.Singleton(Bank)
    till = providers.Factory(Till, bank=bank)


class TestShop(containers.DeclarativeContainer):
    bank = providers.Singleton(TestBank)


class LocalShop(containers.DeclarativeContainer):
    bank = providers.Factory(LocalBank)
    unknown = providers.Object(1)


def raised(kind: type[BaseException], call: Any, *args: Any, **kwargs: Any) -> bool:
    try:
        call(*args, **kwargs)
    except kind:
        return True
    return False


def program_a_provider_overridden_by_another():
    shop = Shop()
    shop.bank.override(providers.Factory(TestBank))
    assert shop.till().bank.name == shop.bank().name == "test"
    assert shop.bank() is not shop.bank()
    shop.bank.reset_override()
    assert shop.till().bank.name == "real"
    return shop


def program_a_provider_overridden_by_a_value():
    shop = Shop()
    bank = TestBank()
    shop.bank.override(bank)
    assert shop.till().bank is bank
    assert shop.bank.last_overriding() is bank
    return shop


def program_an_override_as_a_block():
    shop = Shop()
    with shop.bank.override(TestBank()) as overriding:
        assert overriding().name == "test"
        assert shop.till().bank.name == "test"
    assert shop.till().bank.name == "real"
    with Shop().bank.override(providers.Singleton(TestBank)) as other:
        assert other() is other()
    return shop


def program_overrides_stack():
    bank = providers.Singleton(Bank)
    first, second = providers.Object("first"), providers.Object("second")
    bank.override(first)
    bank.override(second)
    assert bank() == "second"
    assert bank.overridden == (first, second)
    assert bank.last_overriding is second
    bank.reset_last_overriding()
    assert bank() == "first"
    bank.reset_override()
    assert bank().name == "real"
    assert bank.overridden == ()
    assert bank.last_overriding is None
    assert raised(Error, bank.reset_last_overriding)


def program_overrides_chain():
    one, two, three = providers.Object(1), providers.Object(2), providers.Object(3)
    one.override(two)
    two.override(three)
    assert (one(), two(), three()) == (3, 3, 3)


def program_a_provider_cannot_override_itself():
    bank = providers.Singleton(Bank)
    assert raised(Error, bank.override, bank)


def program_overriding_an_overriden_singleton_keeps_its_object():
    bank = providers.Singleton(Bank)
    before = bank()
    bank.override(providers.Singleton(TestBank))
    inside = bank()
    bank.reset_override()
    assert inside.name == "test"
    assert bank() is before


def program_arguments_reach_the_override():
    bank = providers.Factory(Bank)
    bank.override(providers.Factory(TestBank))
    assert bank(5).limit == 5
    assert bank(limit=6).name == "test"


def program_several_providers_at_once():
    shop = Shop()
    with shop.override_providers(bank=TestBank(), till=providers.Object("till")) as same:
        assert same is shop
        assert (shop.bank().name, shop.till()) == ("test", "till")
    assert isinstance(shop.till(), Till)
    shop.override_providers(bank=providers.Factory(LocalBank))
    assert shop.till().bank.name == "local"
    assert raised(AttributeError, shop.override_providers, nothing=1)
    return shop


def program_given_with_the_container():
    shop = Shop(bank=TestBank())
    assert shop.till().bank.name == "test"
    assert Shop(bank=providers.Factory(LocalBank)).till().bank.name == "local"
    assert Shop().till().bank.name == "real"
    return shop


def program_a_container_overridden_by_another():
    shop, test = Shop(), TestShop()
    shop.override(test)
    assert shop.till().bank is test.bank()
    assert shop.overridden == (test,)
    shop.override(LocalShop())
    assert shop.till().bank.name == "local"
    shop.reset_override()
    assert shop.overridden == ()
    assert shop.till().bank.name == "real"
    assert raised(Error, shop.override, shop)
    return shop


def program_a_class_overridden_by_another():
    class Market(Shop):
        bank = providers.Singleton(Bank)
        till = providers.Factory(Till, bank=bank)

    before = Market()
    Market.override(TestShop)
    assert Market.bank() is TestShop.bank()
    assert Market.overridden == (TestShop,)
    made = Market()
    assert made.till().bank.name == "test"
    assert before.till().bank.name == "real"
    Market.override(LocalShop)
    assert Market().bank().name == "local"
    Market.reset_override()
    assert Market().till().bank.name == Market.bank().name == "real"
    assert raised(Error, Market.override, Market)
    assert raised(Error, Market.reset_last_overriding)
    return Market(), before


def program_the_last_of_several_is_taken_back():
    class Market(containers.DeclarativeContainer):
        bank = providers.Singleton(Bank)

    market = Market()
    market.override(TestShop())
    market.override(LocalShop())
    market.reset_last_overriding()
    assert market.bank().name == "test"
    assert len(market.overridden) == 1
    Market.override(TestShop)
    Market.override(LocalShop)
    Market.reset_last_overriding()
    assert Market().bank().name == Market.bank().name == "test"
    Market.reset_override()
    return Market(), market


def program_the_decorator_overrides_a_class():
    class Market(containers.DeclarativeContainer):
        bank = providers.Singleton(Bank)
        till = providers.Factory(Till, bank=bank)

    @containers.override(Market)
    class Stand(containers.DeclarativeContainer):
        bank = providers.Singleton(TestBank)

    assert isinstance(Market().till().bank, TestBank)
    assert isinstance(Stand().bank(), TestBank)
    assert Market.overridden == (Stand,)
    Market.reset_override()
    assert Market().bank().name == "real"
    return Market(), Stand()


def program_a_provider_of_the_class():
    class Market(containers.DeclarativeContainer):
        bank = providers.Singleton(Bank)
        till = providers.Factory(Till, bank=bank)

    before = Market()
    with Market.bank.override(providers.Factory(TestBank)):
        assert Market.till().bank.name == "test"
        assert Market().till().bank.name == "test"
        assert before.till().bank.name == "real"
    assert Market.till().bank.name == "real"
    assert Market().till().bank.name == "real"
    return Market()


def program_a_part_overridden_by_a_container():
    class Street(containers.DeclarativeContainer):
        shop = providers.Container(Shop)
        tally = providers.Factory(Till, bank=shop.bank)

    street = Street()
    test = TestShop()
    street.shop.override(test)
    assert street.tally().bank is street.shop.till().bank is test.bank()
    street.shop.reset_override()
    assert street.tally().bank.name == "real"
    other = Street(shop=TestShop())
    assert other.tally().bank.name == "test"
    return street, other


def program_a_part_overridden_inside():
    class Street(containers.DeclarativeContainer):
        shop = providers.Container(Shop, bank=providers.Factory(LocalBank))

    street = Street()
    assert street.shop.till().bank.name == "local"
    street.shop.bank.override(TestBank())
    assert street.shop.till().bank.name == "test"
    return street


def program_a_container_of_runtime_overrides():
    class Street(containers.DeclarativeContainer):
        config = providers.Configuration()
        shop = providers.Container(Shop)

    class Override(containers.DeclarativeContainer):
        shop = providers.Container(TestShop)

    street = Street()
    street.override(Override())
    assert street.shop.till().bank.name == "test"
    return street


async def program_a_sync_provider_overridden_in_async_code():
    shop = Shop()
    with shop.bank.override(TestBank()):
        assert shop.till().bank.name == "test"
    return shop


def program_a_factory_asked_before_sees_an_override_after():
    shop = Shop()
    assert shop.till().bank.name == "real"
    shop.bank.override(TestBank())
    assert shop.till().bank.name == "test"
    shop.bank.reset_last_overriding()
    assert shop.till().bank.name == "real"
    shop.till.override(providers.Factory(Till, bank=providers.Object(TestBank())))
    assert shop.till().bank.name == "test"
    return shop


def program_deep_overrides_are_seen_at_the_top():
    class Deep(containers.DeclarativeContainer):
        limit = providers.Object(1)
        bank = providers.Factory(Bank, limit)
        till = providers.Factory(Till, bank)
        street = providers.List(till, till)

    deep = Deep()
    assert [till.bank.limit for till in deep.street()] == [1, 1]
    with deep.limit.override(2):
        assert [till.bank.limit for till in deep.street()] == [2, 2]
        with deep.bank.override(providers.Factory(TestBank, 3)):
            assert deep.street()[0].bank.limit == 3
        assert deep.street()[0].bank.limit == 2
    assert deep.street()[0].bank.limit == 1
    return deep
