"""How a table is made: its keys and indexes, and whether what is there is like that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class KeyType(StrEnum):
    """What a key attribute is."""

    TEXT = "S"
    NUMBER = "N"
    BYTES = "B"


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that items are found by."""

    name: str
    type: KeyType = KeyType.TEXT


@dataclass(frozen=True, slots=True)
class Index:
    """Another way to find items.

    Attributes:
        name: What queries call it.
        partition: The attribute that is asked for; of a local index, that of the table.
        sort: The attribute in whose order they come.
        is_local: Whether it is inside the table's partitions, and made with the table only.
        attributes: What it gives besides keys; None for the whole item.
    """

    name: str
    partition: Key
    sort: Key | None = None
    is_local: bool = False
    attributes: Sequence[str] | None = None

    def wire(self) -> dict[str, Any]:
        """Its part of the request that makes the table."""
        kept = self.attributes
        projection: dict[str, Any] = {"ProjectionType": "ALL" if kept is None else "KEYS_ONLY"}
        if kept:
            projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(kept)}
        return {
            "IndexName": self.name,
            "KeySchema": schema(self.partition, self.sort),
            "Projection": projection,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """A table, paid by request.

    Attributes:
        name: What calls name.
        partition: The attribute items are spread by.
        sort: The attribute that orders, and with the first one names, them.
        indexes: Other ways to find items.
        ttl_attribute: The attribute with the second, since 1970, after which DynamoDB deletes an
            item by itself, within days; empty for none.
    """

    name: str
    partition: Key
    sort: Key | None = None
    indexes: Sequence[Index] = ()
    ttl_attribute: str = ""

    def wire(self) -> dict[str, Any]:
        """The request that makes it."""
        indexes = {
            "LocalSecondaryIndexes": [each.wire() for each in self.indexes if each.is_local],
            "GlobalSecondaryIndexes": [each.wire() for each in self.indexes if not each.is_local],
        }
        return {
            "TableName": self.name,
            "KeySchema": schema(self.partition, self.sort),
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in sorted(self._types().items())
            ],
            "BillingMode": "PAY_PER_REQUEST",
            **{name: made for name, made in indexes.items() if made},
        }

    def differences(self, found: Mapping[str, Any]) -> Iterator[str]:
        """What a described table has otherwise; what it has beyond is no difference."""
        types = {
            each["AttributeName"]: each["AttributeType"]
            for each in found.get("AttributeDefinitions", ())
        }
        wanted = self._types()
        yield from _schema_differs("the table", self.partition, self.sort, found)
        yield from (
            f"'{name}' is of type {types[name]}, not {kind}"
            for name, kind in wanted.items()
            if name in types and types[name] != kind
        )
        for index in self.indexes:
            word = "LocalSecondaryIndexes" if index.is_local else "GlobalSecondaryIndexes"
            there = {each["IndexName"]: each for each in found.get(word, ())}
            if index.name not in there:
                yield f"there is no index '{index.name}'"
                continue
            known = there[index.name]
            yield from _schema_differs(f"index '{index.name}'", index.partition, index.sort, known)

    def _types(self) -> dict[str, str]:
        pairs = [(self.partition, self.sort), *((i.partition, i.sort) for i in self.indexes)]
        return {key.name: str(key.type) for pair in pairs for key in pair if key is not None}


def schema(partition: Key, sort: Key | None) -> list[dict[str, str]]:
    """Keys as requests have them."""
    keys = [{"AttributeName": partition.name, "KeyType": "HASH"}]
    return keys if sort is None else [*keys, {"AttributeName": sort.name, "KeyType": "RANGE"}]


def _schema_differs(
    what: str, partition: Key, sort: Key | None, found: Mapping[str, Any]
) -> Iterator[str]:
    there = [each["AttributeName"] for each in found["KeySchema"]]
    wanted = [each["AttributeName"] for each in schema(partition, sort)]
    if there != wanted:
        yield f"{what} is keyed by {', '.join(there)}, not {', '.join(wanted)}"
