"""MongoDB through PyMongo's asyncio API, or through Motor."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

from infrastructure.connections.base import ConnectionType, DatabaseRegistry
from infrastructure.connections.database.mongodb.changes import Change, changes_of
from infrastructure.connections.database.mongodb.component import MongodbComponent
from infrastructure.connections.database.mongodb.indexes import Indexes
from infrastructure.connections.database.mongodb.settings import MongodbSettings
from infrastructure.connections.database.mongodb.transactions import (
    Transaction,
    run_again,
    transaction_of,
)
from infrastructure.connections.database.mongodb.values import VALUES, Document, read

ResultT = TypeVar("ResultT")


@DatabaseRegistry.register(ConnectionType.MONGODB)
class MongodbConnectionManager(MongodbComponent, Indexes):
    """A server, a replica set or a sharded cluster: documents, transactions, changes, indexes."""

    Settings: ClassVar[type[MongodbSettings]] = MongodbSettings
    settings: MongodbSettings
    operations = frozenset(
        {
            *("aggregate", "bulk_write", "count", "delete", "find", "find_one", "insert", "scan"),
            *("update", "update_version", "upsert"),
            *("drop_index", "ensure_index", "list_indexes"),
        }
    )

    @property
    def session(self) -> None:
        """Outside of a transaction there is none."""
        return

    async def execute(self, command: Mapping[str, Any]) -> Document:
        """Run a command of the database, such as `{"collStats": "books"}`, and give its answer."""
        async with self.writing():
            database = self.client.get_database(self.settings.database, codec_options=VALUES)
            answer: Document = await database.command(command, codec_options=VALUES)
        return read(answer)

    async def ping(self) -> None:
        """Ask the server for a sign of life, within `timeout_seconds`.

        Raises:
            UnavailableError: It gave none.
        """
        async with self.reading():
            await self._ping()

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Calls that are applied together, at the end of the body, or not at all.

        A connection is in use for one call at a time; each call has its own deadline.

        Raises:
            TransactionConflictError: Somebody else was in the way; run all of it again.
            OutcomeUnknownError: The answer to the commit was lost.
            UnsupportedError: There is one server alone, which has no transactions.
        """
        return transaction_of(self)

    async def transact(
        self, work: Callable[[Transaction], Awaitable[ResultT]], *, max_attempts: int = 10
    ) -> ResultT:
        """Run `work` in a transaction; again as a whole, after a wait, when it met another's.

        Args:
            work: Given the transaction; it reads what it decides on, and changes nothing else.
            max_attempts: How often it is run at most.

        Raises:
            TransactionConflictError: Somebody else was in the way at each attempt.
            UnsupportedError: There is one server alone, which has no transactions.
        """
        return await run_again(self, work, max_attempts)

    def watch(
        self,
        collection: str,
        *,
        pipeline: Sequence[Mapping[str, Any]] = (),
        after: str | None = None,
        with_documents: bool = False,
    ) -> AsyncIterator[Change]:
        """The changes from the first reading on, for as long as they are read.

        A connection that is lost is opened again, and the stream goes on where it was; so it does
        where the collection is dropped and made again. It ends when the manager is closed. No
        policy stands around it: it waits as long as nothing happens.

        Args:
            collection: Its name.
            pipeline: Stages that choose among the changes.
            after: A change's token, to go on behind it.
            with_documents: Look up the whole document of an update, too.

        Raises:
            UnavailableError: It was closed, or the server was gone for longer than
                `timeout_seconds`; the last token leads on.
            NotFoundError: The token is older than the server's log.
            UnsupportedError: There is one server alone, which tells no changes.
        """
        return changes_of(
            self, collection, pipeline=pipeline, after=after, with_documents=with_documents
        )
