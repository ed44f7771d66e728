"""What both ways of psycopg share: what a connection is told, what goes out, how long it waits."""

import time
from collections.abc import Generator, Mapping
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.errors import ConfigurationError

POLL_SECONDS: Final = 0.1
#: After so many times a statement is prepared; never where PgBouncer stands between.
_PREPARE_AFTER = 5
#: The protocol counts them in 16 bits.
_MOST_PARAMETERS = 65_535
#: Its names for what the settings call otherwise.
_NAMES = {"dsn": "conninfo", "database": "dbname", "ssl": "sslmode"}
#: The state of a value that does not fit, where the driver found it by itself.
_MISFIT = "22000"


class OneStatement:
    """Before a cursor: it sends one statement at a time, with parameters and without."""

    def _execute_send(self, query: Any, **options: Any) -> None:
        if len(query.params or ()) > _MOST_PARAMETERS:
            msg = f"more than {_MOST_PARAMETERS:,} parameters"
            raise psycopg.ProgrammingError(msg)
        super()._execute_send(query, **{**options, "force_extended": True})  # type: ignore[misc] # the cursor's


def arguments(settings: PostgresSettings, server: Mapping[str, str], where: str) -> dict[str, Any]:
    """What the driver is told of a connection.

    Args:
        settings: Where to, and as whom.
        server: Settings of the server for it, by name; they win over those in the URL or,
            where it has none, those that libpq takes from PGOPTIONS.
        where: The manager's name, for errors.

    Raises:
        ConfigurationError: The URL cannot be read.
    """
    given = {_NAMES.get(name, name): value for name, value in settings.address().items()}
    try:
        told: dict[str, Any] = conninfo_to_dict(**given)
    except psycopg.ProgrammingError:
        # the driver's text may quote the password
        raise ConfigurationError("`url` cannot be read", where=where) from None
    theirs = told.get("options") or _default_options()
    options = [theirs, *(f"-c {name}={text}" for name, text in server.items())]
    return {
        **told,
        "options": " ".join(options),
        "application_name": settings.application_name,
        "prepare_threshold": None if settings.pgbouncer else _PREPARE_AFTER,
    }


def _default_options() -> str:
    """What libpq would send by itself, which ours would hide."""
    known = {each.keyword: each.val for each in Conninfo.get_defaults()}
    return (known.get(b"options") or b"").decode()


def in_time(gen: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """The same steps, ended when the time is up, also where there is always a next one.

    Raises:
        OperationalError: (psycopg) It is; its cause is a TimeoutError.
    """
    at = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if time.monotonic() >= at:
                gen.close()
                raise psycopg.OperationalError("no answer in time") from TimeoutError()
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


def refused_as(error: psycopg.Error) -> tuple[str, str]:
    """The sqlstate and the words of an error; no state where the driver raised it by itself."""
    own = _MISFIT if isinstance(error, psycopg.DataError) else ""
    return error.sqlstate or own, error.diag.message_primary or str(error)


def reason(error: BaseException) -> str:
    """The first line of what libpq says."""
    return str(error).partition("\n")[0].strip()
