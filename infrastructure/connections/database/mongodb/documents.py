"""Reading and writing documents: every call bounded, every error ours, every list limited."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pymongo.errors import DuplicateKeyError

from infrastructure.connections.database.conflicts import VersionConflictError
from infrastructure.connections.database.mongodb.bulk import BulkOutcome, Write, sent_in_bulk
from infrastructure.connections.database.mongodb.calls import Piece, closed, settled
from infrastructure.connections.database.mongodb.values import (
    Document,
    DocumentId,
    Filter,
    check_filter,
    check_values,
    read,
    with_id,
)
from infrastructure.errors import ConfigurationError

#: Two upserts of one key race for its insertion; who loses finds the document the next time.
_UPSERT_TRIES = 3


class Documents(ABC):
    """The calls on documents, of a manager or of one of its transactions.

    Documents are dicts of Python's values: ids are `DocumentId`, which is text; decimals are
    `Decimal`; times are in UTC and know it.

    Raises (every call):
        UnavailableError: No answer, or none within `timeout_seconds`. Nothing was changed.
        OutcomeUnknownError: The answer to something that changes documents was lost.
        OverloadedError: No free connection in time, or another transaction was in the way.
        AuthenticationError: The server refused the credentials, or what they may not do.
        ConflictError: A unique key exists already.
        RejectedError: The server refused the call.
    """

    name: str

    @abstractmethod
    def reading(self, client: Any = None) -> Piece:
        """What stands around a call that changes nothing, or goes on with a cursor of `client`."""

    @abstractmethod
    def writing(self) -> Piece:
        """What stands around a call that changes something."""

    @abstractmethod
    def collection(self, name: str) -> Any:
        """The driver's collection; it is open only inside `reading` and `writing`."""

    @property
    @abstractmethod
    def session(self) -> Any:
        """The driver's session of a transaction; None outside of one."""

    async def find_one(
        self,
        collection: str,
        filter: Filter,
        *,
        sort: Mapping[str, int] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Document | None:
        """The first document that fits; None when there is none."""
        check_filter(filter, self.name)
        async with self.reading():
            found: Document | None = await self.collection(collection).find_one(
                filter, fields, sort=sort, session=self.session
            )
        return None if found is None else read(found)

    async def find(
        self,
        collection: str,
        filter: Filter,
        *,
        limit: int,
        skip: int = 0,
        sort: Mapping[str, int] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """The documents that fit, up to `limit`, within one deadline.

        Args:
            collection: Its name.
            filter: As MongoDB has it; `{}` fits every document.
            limit: The most that are given, above zero.
            skip: So many of the first are left out.
            sort: Fields and directions, 1 or -1.
            fields: A projection, as MongoDB has it.
        """
        _check_limit(limit, self.name)
        check_filter(filter, self.name)
        async with self.reading():
            cursor = self.collection(collection).find(
                filter,
                fields,
                limit=limit,
                skip=skip,
                sort=sort,
                session=self.session,
                batch_size=limit + 1,  # all of them in the first answer
            )
            found: list[Document] = await cursor.to_list(None)
        return [read(one) for one in found]

    async def scan(
        self,
        collection: str,
        filter: Filter,
        *,
        sort: Mapping[str, int] | None = None,
        fields: Mapping[str, Any] | None = None,
        batch_size: int = 200,
    ) -> AsyncIterator[Document]:
        """Every document that fits, one after the other; each batch has a deadline of its own."""
        _check_limit(batch_size, self.name)
        check_filter(filter, self.name)
        async with self.reading() as first:
            cursor = self.collection(collection).find(
                filter, fields, sort=sort, session=self.session, batch_size=batch_size
            )
            batch = await cursor.to_list(batch_size)
        try:
            while batch:
                for document in batch:
                    yield read(document)
                async with self.reading(first.client):
                    batch = await cursor.to_list(batch_size)
        finally:
            await closed(cursor)

    async def aggregate(
        self, collection: str, pipeline: Sequence[Mapping[str, Any]], *, limit: int
    ) -> list[Document]:
        """What the pipeline gives, up to `limit`; `$out` and `$merge` are for `execute`."""
        _check_limit(limit, self.name)
        async with self.reading():
            cursor = await settled(
                self.collection(collection).aggregate(
                    [*pipeline, {"$limit": limit}], session=self.session, batchSize=limit + 1
                )
            )
            found: list[Document] = await cursor.to_list(None)
        return [read(one) for one in found]

    async def count(self, collection: str, filter: Filter) -> int:
        """How many documents fit, counted now."""
        check_filter(filter, self.name)
        async with self.reading():
            number: int = await self.collection(collection).count_documents(
                filter, session=self.session
            )
            return number

    async def insert(self, collection: str, document: Mapping[str, Any]) -> Any:
        """Add a document; give its `_id`, which is a new `DocumentId` if it has none.

        Raises:
            ConflictError: One with a unique key of it is there already.
        """
        whole = with_id(document)
        async with self.writing():
            await self.collection(collection).insert_one(whole, session=self.session)
        return whole["_id"]

    async def update(
        self, collection: str, filter: Filter, update: Any, *, many: bool = False
    ) -> int:
        """Change the first document that fits, or all; give how many fitted."""
        check_filter(filter, self.name)
        async with self.writing():
            target = self.collection(collection)
            call = target.update_many if many else target.update_one
            matched: int = (await call(filter, update, session=self.session)).matched_count
            return matched

    async def update_version(
        self,
        collection: str,
        id: Any,
        version: int,
        update: Mapping[str, Any],
        *,
        field: str = "version",
    ) -> int:
        """Change a document if it still has the version it was read with; give its new version.

        The check is in the statement itself, so of many who try at once one succeeds.

        Args:
            collection: Its name.
            id: The document's `_id`.
            version: What its field was when it was read.
            update: Operators, such as `{"$set": {...}}`.
            field: Where the version is.

        Raises:
            VersionConflictError: It was changed or deleted meanwhile: read anew, and decide.
            RejectedError: `id` or `version` is an operator, such as `{"$ne": None}`.
        """
        checked = {"_id": id, field: version}
        check_values(checked, self.name)
        counted = {**update, "$inc": {**update.get("$inc", {}), field: 1}}
        if not await self.update(collection, checked, counted):
            raise VersionConflictError(
                f"'{collection}' has no document {id!s} of version {version} any more",
                where=self.name,
                hint="Read it again: somebody else has changed or deleted it.",
            )
        return version + 1

    async def upsert(self, collection: str, key: Filter, update: Mapping[str, Any]) -> bool:
        """Change the document with this unique key, or insert one; say whether it was inserted.

        Of two that insert at once the loser is tried again, and changes what the other inserted.

        Args:
            collection: Its name.
            key: The fields of a unique index, and their values.
            update: Operators, such as `{"$set": {...}, "$setOnInsert": {...}}`.

        Raises:
            ConflictError: Another unique key is taken.
            RejectedError: `key` has an operator where a value is expected.
        """
        check_values(key, self.name)
        on_insert = {"_id": DocumentId.new(), **update.get("$setOnInsert", {})}
        whole = {**update, "$setOnInsert": on_insert} if "_id" not in key else update
        async with self.writing():
            target = self.collection(collection)
            for tries_left in reversed(range(_UPSERT_TRIES)):
                try:
                    done = await target.update_one(key, whole, upsert=True, session=self.session)
                except DuplicateKeyError:
                    if not tries_left or self.session is not None:  # which it has ended
                        raise
                else:
                    return done.upserted_id is not None
        raise AssertionError  # the last try has ended it

    async def delete(self, collection: str, filter: Filter, *, many: bool = False) -> int:
        """Remove the first document that fits, or all; give how many."""
        check_filter(filter, self.name)
        async with self.writing():
            target = self.collection(collection)
            call = target.delete_many if many else target.delete_one
            deleted: int = (await call(filter, session=self.session)).deleted_count
            return deleted

    async def bulk_write(
        self, collection: str, writes: Sequence[Write], *, ordered: bool = False
    ) -> BulkOutcome:
        """Send many writes together; the outcome tells of each what became of it.

        Args:
            collection: Its name.
            writes: Any number; the driver cuts them into what one message can hold.
            ordered: Each waits for the one before, and the first that fails is the last.

        Raises:
            OutcomeUnknownError: An answer was lost, or a part was refused for now: others may have
                been applied.
        """
        async with self.writing():
            return await sent_in_bulk(self, collection, writes, ordered=ordered)


def _check_limit(limit: int, where: str) -> None:
    if limit < 1:
        raise ConfigurationError(f"a limit of {limit} is none", where=where)
