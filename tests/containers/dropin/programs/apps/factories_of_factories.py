"""Patterns of factories: those that make, those that are chosen, those that are handed on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dependency_injector import containers, providers


@dataclass
class Engine:
    power: int


@dataclass
class Car:
    engine: Engine
    color: str = "grey"


class Garage:
    def __init__(self, build: Callable[..., Car]) -> None:
        self.build = build
        self.cars: list[Car] = []

    def order(self, **options: Any) -> Car:
        self.cars.append(self.build(**options))
        return self.cars[-1]


class Works(containers.DeclarativeContainer):
    petrol = providers.Factory(Engine, power=90)
    electric = providers.Factory(Engine, power=150)
    petrol_car = providers.Factory(Car, engine=petrol)
    electric_car = providers.Factory(Car, engine=electric)
    cars = providers.FactoryAggregate(petrol=petrol_car, electric=electric_car)
    garage = providers.Singleton(Garage, build=petrol_car.provider)
    garages = providers.Factory(
        Garage, providers.Factory(Car, providers.Factory(Engine, 1)).provider
    )


def program_a_garage_is_handed_a_factory():
    works = Works()
    red = works.garage().order(color="red")
    assert (red.engine.power, red.color) == (90, "red")
    assert works.garage().order(engine__power=95).engine.power == 95
    assert len(works.garage().cars) == 2
    assert works.garages().order().engine.power == 1
    return works


def program_a_garage_chooses_by_name():
    works = Works()
    assert works.cars("electric").engine.power == 150
    assert works.cars.petrol(color="blue").color == "blue"
    return works
