"""The catalogue: which collections there are in a database, and of which shape."""


def quoted(name: str) -> str:
    """A name as SQL reads it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Catalogue:
    """The SQL of the table that says which collections there are.

    Args:
        schema: Where the tables are.

    Attributes:
        create: What makes them, by the end of the call `to_reg...` that says whether it is there.
    """

    def __init__(self, schema: str) -> None:
        self.schema = quoted(schema)
        self.table = f"{self.schema}.collections"
        shape = "id, dimensions, metric, sparse, tenants"
        self.find = f"SELECT {shape} FROM {self.table} WHERE name = $1"  # noqa: S608 - quoted
        self.names = f"SELECT name FROM {self.table} ORDER BY name"  # noqa: S608 - quoted
        self.add = (
            f"INSERT INTO {self.table} (name, dimensions, metric, sparse, tenants)"  # noqa: S608 - quoted
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING RETURNING id"
        )
        self.remove = f"DELETE FROM {self.table} WHERE name = $1 RETURNING id"  # noqa: S608 - quoted
        self.create = {
            f"namespace({_text(self.schema)})": f"CREATE SCHEMA {self.schema}",
            f"class({_text(self.table)})": f"CREATE TABLE {self.table} ("
            'name text COLLATE "C" PRIMARY KEY, id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,'
            " dimensions integer NOT NULL, metric text NOT NULL,"
            " sparse boolean NOT NULL, tenants boolean NOT NULL)",
        }

    def drop(self, number: int) -> str:
        """Remove a collection's table."""
        return f"DROP TABLE IF EXISTS {self.schema}.{quoted(f'vectors_{number}')}"
