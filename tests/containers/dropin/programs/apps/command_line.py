"""A command line, and views of a framework that makes its own objects."""

import argparse
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject


class Calculator:
    def __init__(self, digits: int) -> None:
        self.digits = digits

    def add(self, *numbers: float) -> float:
        return round(sum(numbers), self.digits)


class Tools(containers.DeclarativeContainer):
    config = providers.Configuration(default={"digits": "1"})
    calculator = providers.Singleton(Calculator, config.digits.as_int())
    parser = providers.Singleton(argparse.ArgumentParser, prog="add", add_help=False)


class View:
    """A framework makes it with arguments of its own."""

    @inject
    def __init__(
        self, *, calculator: Calculator = Provide[Tools.calculator], **options: Any
    ) -> None:
        self.calculator = calculator
        self.options = options

    def get(self) -> float:
        return self.calculator.add(self.options["a"], 1)


@inject
def main(
    argv: list[str],
    parser: argparse.ArgumentParser = Provide[Tools.parser],
    calculator: Calculator = Provide[Tools.calculator],
) -> float:
    parser.add_argument("numbers", nargs="*", type=float)
    return calculator.add(*parser.parse_args(argv).numbers)


def program_a_command():
    tools = Tools()
    tools.wire(modules=[__name__])
    assert main(["1.26", "2"]) == 3.3
    tools.unwire()
    return tools


def program_a_view_made_by_its_framework():
    tools = Tools()
    tools.wire(modules=[__name__])
    assert View(a=2).get() == 3
    assert View(a=2, calculator=Calculator(0)).calculator.digits == 0
    tools.unwire()
    return tools
