"""An empty database, cheaper than a new one."""

import psycopg


def emptied(url: str) -> str:
    """The same database without what the last test left in it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url
