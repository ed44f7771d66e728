"""Commands and their handlers on a bus, subscribed by a container."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dependency_injector import containers, providers


@dataclass
class Save:
    key: str
    value: int


@dataclass
class Forget:
    key: str


class Shelf:
    def __init__(self) -> None:
        self.things: dict[str, int] = {}


class Handler:
    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def save(self, command: Save) -> None:
        self.shelf.things[command.key] = command.value

    def forget(self, command: Forget) -> None:
        self.shelf.things.pop(command.key, None)


class Bus:
    def __init__(self, handlers: dict[type, Callable[[], Callable[[Any], None]]]) -> None:
        self.handlers = handlers

    def handle(self, command: Any) -> None:
        self.handlers[type(command)]()(command)


class App(containers.DeclarativeContainer):
    shelf = providers.Singleton(Shelf)
    handler = providers.Factory(Handler, shelf)
    bus = providers.Factory(
        Bus,
        providers.Dict(
            {
                Save: handler.provided.save.provider,
                Forget: handler.provided.forget.provider,
            }
        ),
    )


def program_each_command_finds_its_handler():
    app = App()
    bus = app.bus()
    bus.handle(Save("a", 1))
    bus.handle(Save("b", 2))
    bus.handle(Forget("a"))
    assert app.shelf().things == {"b": 2}
    return app
