"""One container: a database, services upon it, an entry point that is injected."""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject


class Accounts:
    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        database.execute("CREATE TABLE IF NOT EXISTS account (name TEXT, secret TEXT)")

    def add(self, name: str, secret: str) -> None:
        self.database.execute("INSERT INTO account VALUES (?, ?)", (name, secret))

    def secret_of(self, name: str) -> str | None:
        row = self.database.execute("SELECT secret FROM account WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None


class Doors:
    def __init__(self, accounts: Accounts, salt: str, rounds: int) -> None:
        self.accounts = accounts
        self.salt = salt * rounds

    def register(self, name: str, word: str) -> None:
        self.accounts.add(name, f"{word}{self.salt}")

    def opens(self, name: str, word: str) -> bool:
        return self.accounts.secret_of(name) == f"{word}{self.salt}"


def connected(path: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


class App(containers.DeclarativeContainer):
    config = providers.Configuration()
    database = providers.Resource(connected, config.database.path)
    accounts = providers.Factory(Accounts, database=database)
    doors = providers.Factory(
        Doors, accounts=accounts, salt=config.doors.salt, rounds=config.doors.rounds.as_int()
    )


@inject
def main(name: str, word: str, doors: Doors = Provide[App.doors]) -> bool:
    doors.register(name, word)
    return doors.opens(name, word) and not doors.opens(name, "other")


def program_an_application_from_an_ini_file():
    app = App()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "app.ini")
        file.write_text("[database]\npath = :memory:\n[doors]\nsalt = s\nrounds = 3\n")
        app.config.from_ini(str(file))
    app.init_resources()
    app.wire(modules=[__name__])
    assert main("ada", "open") is True
    assert app.doors().salt == "sss"
    app.unwire()
    app.shutdown_resources()
    return app
