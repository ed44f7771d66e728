"""A group of providers whose names come from settings, beside dependency-injector's providers."""

import copy

import pytest

from containers import DeclarativeContainer, providers


class Lamp:
    pass


class House(DeclarativeContainer):
    lamps = providers.Group()
    first: providers.Factory[dict[str, object]] = providers.Factory(dict, lamps=lamps)


def lit() -> House:
    house = House()
    house.lamps.providers["hall"] = providers.Singleton(Lamp)
    return house


def test_a_call_gives_every_object_by_name():
    house = lit()
    assert house.lamps() == {"hall": house.lamps.hall()}
    assert house.first()["lamps"]["hall"] is house.lamps.hall()


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match="no instance 'cellar'; configured: hall"):
        lit().lamps.cellar  # noqa: B018 - asking is the point


def test_a_deep_copy_has_providers_of_its_own():
    house = lit()
    copied = copy.deepcopy(house)
    assert copied.lamps.hall() is not house.lamps.hall()


def test_a_deep_copy_keeps_an_override():
    house = lit()
    house.lamps.override(providers.Object({"hall": "candle"}))
    assert copy.deepcopy(house).lamps() == {"hall": "candle"}


def test_what_is_in_it_is_traversed_and_overridden_by_path():
    house, lamp = lit(), Lamp()
    assert house.lamps.hall in set(house.traverse())
    with house.override({"lamps.hall": lamp}):
        assert house.lamps() == {"hall": lamp}
    assert house.lamps.hall() is not lamp
