"""Transactions: writes that are applied together or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from pymongo.errors import PyMongoError

from infrastructure.connections.database.conflicts import (
    TransactionConflictError,
    VersionConflictError,
)
from infrastructure.connections.database.mongodb.calls import Piece, settled
from infrastructure.connections.database.mongodb.component import MongodbComponent
from infrastructure.connections.database.mongodb.documents import Documents
from infrastructure.connections.database.mongodb.errors import (
    is_unknown_commit,
    lost_answer,
    was_not_applied,
)
from infrastructure.errors import (
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.resilience import ExponentialBackoffStrategy, Retry

ResultT = TypeVar("ResultT")

_FIRST_WAIT_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 1.0
_COMMIT_TRIES = 3
_COMMIT_WAIT_SECONDS = 0.05


class Transaction(Documents):
    """The calls on documents inside a transaction; one at a time, by one task.

    An error of a call ends it: nothing of it is applied, and where the body goes on without
    heeding the error, it is raised again.

    Attributes:
        error: What ended it; None while it goes on.
    """

    def __init__(self, manager: MongodbComponent, session: Any, client: Any) -> None:
        self.name = manager.name
        self.error: InfrastructureError | None = None
        self._manager = manager
        self._session = session
        self._client = client

    @property
    def session(self) -> Any:
        """The driver's session."""
        return self._session

    def reading(self, client: Any = None) -> Piece:  # noqa: ARG002 - there is one client
        """Bounded; what it is in has opened the connection already."""
        if self.error is not None:
            raise self.error
        return _Step(self, self._manager, self._client)

    def writing(self) -> Piece:
        """As `reading`: an answer that is lost ends the transaction, so nothing was changed."""
        return self.reading()

    def collection(self, name: str) -> Any:
        """The driver's collection."""
        return self._manager.collection(name)


class _Step(Piece):
    """A call inside a transaction, which its error ends."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction, manager: MongodbComponent, client: Any) -> None:
        super().__init__(manager, client)
        self._transaction = transaction

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._transaction.error = RejectedError(
                "a call inside the transaction did not come to its end", where=self._manager.name
            )
        try:
            await super().__aexit__(kind, error, trace)
        except InfrastructureError as ours:
            self._transaction.error = ours
            raise


@asynccontextmanager
async def transaction_of(manager: MongodbComponent) -> AsyncIterator[Transaction]:
    """Committed at the end of the body, given up on an error."""
    async with manager.held():
        if manager.is_standalone():
            raise UnsupportedError(
                "one server alone has no transactions",
                where=manager.name,
                hint="They need a replica set, of one member at least, or a sharded cluster.",
            )
        client = manager.client
        async with Piece(manager, client):
            session = await settled(client.start_session())
        try:
            await settled(session.start_transaction())
            transaction = Transaction(manager, session, client)
            yield transaction
            if transaction.error is not None:
                raise transaction.error
            await _commit(manager, session, client)
        finally:
            await asyncio.wait((manager.left_behind(_end(manager, session, client)),))


async def run_again(
    manager: MongodbComponent,
    work: Callable[[Transaction], Awaitable[ResultT]],
    max_attempts: int,
) -> ResultT:
    """Run `work` in a transaction of its own, as a whole and again while others are in its way."""

    async def attempt() -> ResultT:
        async with transaction_of(manager) as transaction:
            return await work(transaction)

    retry = Retry(
        max_attempts,
        ExponentialBackoffStrategy(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, jitter=1.0),
        retry_on=(TransactionConflictError, VersionConflictError, UnavailableError),
        dependency=manager.name,
        name=f"{manager.name}.transact",
    )
    result: Any = await retry.run(attempt)
    return result  # type: ignore[no-any-return] # what the work gave


async def _commit(manager: MongodbComponent, session: Any, client: Any) -> None:
    """Commit; sent again while it is not known whether it was applied, which changes nothing."""
    is_lost = False
    try:
        async with Piece(manager, client):
            for tries_left in reversed(range(_COMMIT_TRIES)):
                try:
                    await session.commit_transaction()
                except PyMongoError as error:
                    is_unknown = is_unknown_commit(error)
                    is_lost = is_lost or (is_unknown and not was_not_applied(error))
                    if not (tries_left and is_unknown):
                        raise
                    await asyncio.sleep(_COMMIT_WAIT_SECONDS)
                else:
                    return
    except (OverloadedError, UnavailableError) as error:
        if is_lost or isinstance(error, UnavailableError):
            raise lost_answer(error, "the commit") from error
        raise


async def _end(manager: MongodbComponent, session: Any, client: Any) -> None:
    # what is not committed, the server gives up by itself when it does not hear of it
    with suppress(PyMongoError, InfrastructureError):
        async with Piece(manager, client):
            await session.end_session()
