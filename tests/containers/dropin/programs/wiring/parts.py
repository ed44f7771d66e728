"""Injection from the parts of a container, and from an instance alone."""

from typing import Any

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject


class Wheel:
    pass


class Axle(containers.DeclarativeContainer):
    wheel = providers.Singleton(Wheel)
    config = providers.Configuration(default={"size": "3"})


class Cart(containers.DeclarativeContainer):
    axle = providers.Container(Axle)
    wheels = providers.List(axle.wheel, axle.wheel)


@inject
def by_path(wheel: Wheel = Provide["axle.wheel"], size: str = Provide["axle.config.size"]) -> Any:
    return wheel, size


@inject
def by_declaration(
    wheel: Wheel = Provide[Cart.axle.wheel], wheels: Any = Provide[Cart.wheels]
) -> Any:
    return wheel, wheels


@inject
def the_part(axle: Any = Provide["axle"], same: Any = Provide[Cart.axle]) -> Any:
    return axle, same


def program_parts_are_reached_by_path_and_by_declaration():
    cart = Cart()
    cart.wire(modules=[__name__])
    wheel = cart.axle.wheel()
    assert by_path() == (wheel, "3")
    assert by_declaration() == (wheel, [wheel, wheel])
    assert the_part()[0].wheel() is the_part()[1].wheel() is wheel
    cart.unwire()
    return cart


def program_overrides_in_parts_are_followed():
    cart = Cart()
    cart.wire(modules=[__name__])
    own = Wheel()
    with cart.axle.wheel.override(own):
        assert by_path()[0] is own
        assert by_declaration() == (own, [own, own])
    assert by_path()[0] is cart.axle.wheel()
    cart.unwire()


def program_a_declaration_wires_itself():
    class Wired(Cart):
        wiring_config = containers.WiringConfiguration(modules=[__name__])

    cart = Wired()
    assert by_path()[0] is cart.axle.wheel()
    assert cart.wired_to_modules
    cart.unwire()
    assert not cart.wired_to_modules
    return cart


def program_a_declaration_that_does_not_wire_itself():
    class Waiting(Cart):
        wiring_config = containers.WiringConfiguration(modules=[__name__], auto_wire=False)

    cart = Waiting()
    assert not cart.wired_to_modules
    cart.wire()
    assert by_path()[0] is cart.axle.wheel()
    cart.unwire()
    return cart


def program_a_dynamic_container_wires_by_name():
    cart = containers.DynamicContainer()
    cart.axle = providers.Container(Axle)
    cart.wheels = providers.List(cart.axle.wheel)
    assert cart.wheels() == [cart.axle.wheel()]
    return cart
