"""A statement in the making."""

from collections.abc import Sequence
from typing import Any

from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.pgvector.codecs import kept_text
from infrastructure.connections.vector.pgvector.filters import path_of
from infrastructure.connections.vector.records import Place


class Ask:
    """A statement in the making: its beginning, what it is about, its end, its values.

    Args:
        sql: The beginning.
        place: Whose rows.
        target: Their ids, or a filter they pass; None for all.
        values: Those the beginning has numbers for, from $1 on.

    Attributes:
        sql: The same.
        values: In the order of their numbers.
    """

    def __init__(
        self, sql: str, place: Place, target: Sequence[str] | Filter | None, *values: Any
    ) -> None:
        self.sql = sql
        self.values = list(values)
        self._place = place
        self._conditions: list[str] = []
        self._end: str | None = ""
        if place.shape.tenants or not (target is None or isinstance(target, Filter)):
            self.narrow(self.own())  # the key of a row begins with it
        if isinstance(target, Filter):
            self.narrow(f"payload @@ {self.value(path_of(target))}::jsonpath")
        elif target is not None:
            self.narrow(f"id = ANY({self.value([kept_text(one) for one in target])}::text[])")

    def __str__(self) -> str:
        return f"{self.sql}{self.where()} {self._end}" if self._end is not None else self.sql

    def where(self, *more: str) -> str:
        """What the rows meet."""
        conditions = [*self._conditions, *more]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def own(self, row: str = "") -> str:
        """That a row is the tenant's."""
        return f"{row}tenant = {self.value(kept_text(self._place.tenant))}"

    def value(self, value: Any) -> str:
        """Its place in the statement."""
        self.values.append(value)
        return f"${len(self.values)}"

    def narrow(self, condition: str) -> None:
        """Ask for what meets this too."""
        self._conditions.append(condition)

    def end(self, sql: str | None) -> None:
        """Order and number of the rows; None where the statement is whole already."""
        self._end = sql
