"""A page of a Flask application."""

from collections.abc import Iterator

from dependency_injector import containers, providers
from dependency_injector.wiring import Closing, Provide, inject
from flask import Flask

closed: list[str] = []


class Greetings:
    def __init__(self, word: str) -> None:
        self.word = word

    def of(self, name: str) -> str:
        return f"{self.word}, {name}"


def connection() -> Iterator[str]:
    yield "connected"
    closed.append("closed")


class Site(containers.DeclarativeContainer):
    config = providers.Configuration(default={"word": "Hello"})
    greetings = providers.Factory(Greetings, config.word)
    connection = providers.Resource(connection)


@inject
def index(name: str, greetings: Greetings = Provide[Site.greetings]) -> str:
    return greetings.of(name)


@inject
def status(connection: str = Closing[Provide[Site.connection]]) -> str:
    return connection


def program_views_are_injected():
    site = Site()
    site.wire(modules=[__name__])
    app = Flask(__name__)
    app.add_url_rule("/<name>", "index", index)
    app.add_url_rule("/status", "status", status)
    client = app.test_client()
    assert client.get("/Ada").text == "Hello, Ada"
    with site.greetings.override(Greetings("Bye")):
        assert client.get("/Ada").text == "Bye, Ada"
    assert client.get("/status").text == "connected"
    assert closed == ["closed"]
    site.unwire()
    return site
