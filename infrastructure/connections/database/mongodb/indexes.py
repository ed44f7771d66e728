"""Indexes: ensured, listed, dropped; two that contradict each other are a typed error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure

from infrastructure.connections.database.mongodb.calls import settled
from infrastructure.connections.database.mongodb.documents import Documents
from infrastructure.connections.database.mongodb.values import read_value

_NO_SUCH_COLLECTION = 26
_NO_SUCH_INDEX = 27


@dataclass(frozen=True, slots=True)
class Index:
    """An index as it is.

    Attributes:
        name: Unique in its collection.
        keys: Fields and what each is sorted by: 1, -1, `text`, `2dsphere`, `hashed`.
        is_unique: Whether two documents may not have the same keys.
        expire_after_seconds: How long documents live after the time in the key; None for ever.
        only_where: The filter of a partial index; None for all documents.
    """

    name: str
    keys: tuple[tuple[str, Any], ...]
    is_unique: bool = False
    expire_after_seconds: float | None = None
    only_where: Mapping[str, Any] | None = None


class Indexes(Documents):
    """The calls on the indexes of a collection."""

    async def ensure_index(
        self,
        collection: str,
        keys: Sequence[str | tuple[str, Any]],
        *,
        name: str | None = None,
        is_unique: bool = False,
        expire_after_seconds: float | None = None,
        only_where: Mapping[str, Any] | None = None,
    ) -> str:
        """Create the index unless it is there; give its name.

        Args:
            collection: Its name; it is created if needed.
            keys: Fields, ascending, or pairs of a field and 1, -1, `text`, `2dsphere`, `hashed`.
            name: Made of the keys if not given.
            is_unique: Refuse a second document with the same keys.
            expire_after_seconds: Remove documents so long after the time in the key.
            only_where: Index only documents that this filter fits.

        Raises:
            ConflictError: One of that name or of these keys is there and is another one, or
                documents are there that a unique index forbids.
        """
        chosen = {
            "name": name,
            "unique": is_unique or None,
            "expireAfterSeconds": expire_after_seconds,
            "partialFilterExpression": only_where,
        }
        options = {key: value for key, value in chosen.items() if value is not None}
        pairs = [(key, 1) if isinstance(key, str) else key for key in keys]
        async with self.writing():
            made: str = await self.collection(collection).create_index(pairs, **options)
            return made

    async def list_indexes(self, collection: str) -> tuple[Index, ...]:
        """Those there are; none when there is no such collection."""
        async with self.reading():
            try:
                cursor = await settled(self.collection(collection).list_indexes())
                found = await cursor.to_list(None)
            except OperationFailure as error:
                if error.code != _NO_SUCH_COLLECTION:
                    raise
                return ()
        return tuple(map(_read, found))

    async def drop_index(self, collection: str, name: str) -> bool:
        """Remove the index; say whether there was one."""
        async with self.writing():
            try:
                database = self.collection(collection).database
                await database.command("dropIndexes", collection, index=name)
            except OperationFailure as error:
                if error.code not in {_NO_SUCH_COLLECTION, _NO_SUCH_INDEX}:
                    raise
                return False
        return True


def _read(found: Mapping[str, Any]) -> Index:
    return Index(
        name=found["name"],
        keys=tuple(found["key"].items()),
        is_unique=bool(found.get("unique")),
        expire_after_seconds=found.get("expireAfterSeconds"),
        only_where=read_value(found.get("partialFilterExpression")),
    )
