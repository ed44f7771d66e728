"""Single statements of SQL in text."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, text

#: Statements that count as changing nothing, so that losing their answer loses nothing.
_READING = frozenset({"pragma", "select", "show", "table", "values"})


@lru_cache(maxsize=512)
def parsed(sql: str) -> TextClause:
    """The statement with its parameters found; the same object for the same text."""
    return text(sql)


def rows_of(
    connection: Connection, sql: str, params: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Run it; the rows, each a mapping of column to value; empty for a statement without rows."""
    result = connection.execute(parsed(sql), params or {})
    if not result.returns_rows:
        return []
    columns = tuple(result.keys())
    return [dict(zip(columns, row, strict=True)) for row in result.all()]


def executed(
    engine: Engine, sql: str, params: Mapping[str, Any] | None, sent: list[str]
) -> list[dict[str, Any]]:
    """The whole call in one greenlet: to enter one takes longer than what is done there.

    `sent` has the statement from when it may have reached the server.
    """
    with engine.connect() as connection:
        sent.append(sql)
        return rows_of(connection, sql, params)


def is_reading(sql: str) -> bool:
    """Whether it is of a kind that counts as changing nothing."""
    return sql.split(maxsplit=1)[0].lower() in _READING if sql.strip() else True
