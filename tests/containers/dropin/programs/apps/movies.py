"""A lister over finders, chosen by configuration."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject


@dataclass
class Film:
    title: str
    year: int
    maker: str


class Finder:
    def __init__(self, film_factory: Callable[..., Film]) -> None:
        self._make = film_factory

    def all(self) -> list[Film]:
        raise NotImplementedError


class CsvFinder(Finder):
    def __init__(self, film_factory: Callable[..., Film], text: str, delimiter: str) -> None:
        self._rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
        super().__init__(film_factory)

    def all(self) -> list[Film]:
        return [self._make(row[0], int(row[1]), row[2]) for row in self._rows]


class ListFinder(Finder):
    def __init__(self, film_factory: Callable[..., Film], rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        super().__init__(film_factory)

    def all(self) -> list[Film]:
        return [self._make(*row) for row in self._rows]


class Lister:
    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def by(self, maker: str) -> list[str]:
        return [film.title for film in self._finder.all() if film.maker == maker]

    def of(self, year: int) -> list[str]:
        return [film.title for film in self._finder.all() if film.year == year]


class Cinema(containers.DeclarativeContainer):
    config = providers.Configuration(
        default={"finder": "csv", "csv": {"text": "Rain|2001|Bo\nSun|2002|Al", "delimiter": "|"}}
    )
    film = providers.Factory(Film)
    csv_finder = providers.Singleton(
        CsvFinder,
        film_factory=film.provider,
        text=config.csv.text,
        delimiter=config.csv.delimiter,
    )
    list_finder = providers.Singleton(
        ListFinder, film_factory=film.provider, rows=[("Wind", 2001, "Bo")]
    )
    finder = providers.Selector(config.finder, csv=csv_finder, list=list_finder)
    lister = providers.Factory(Lister, finder)


@inject
def main(lister: Lister = Provide[Cinema.lister]) -> tuple[list[str], list[str]]:
    return lister.by("Bo"), lister.of(2002)


def program_a_lister_over_the_configured_finder():
    cinema = Cinema()
    cinema.wire(modules=[__name__])
    assert main() == (["Rain"], ["Sun"])
    cinema.config.finder.from_value("list")
    assert main() == (["Wind"], [])
    cinema.unwire()
    return cinema


def program_a_lister_under_test():
    cinema = Cinema()
    fake = ListFinder(cinema.film, [("Fake", 1, "Me")])
    with cinema.finder.override(fake):
        assert cinema.lister().by("Me") == ["Fake"]
    with cinema.csv_finder.override(fake):
        assert cinema.lister().of(1) == ["Fake"]
    assert cinema.lister().by("Me") == []
    return cinema
