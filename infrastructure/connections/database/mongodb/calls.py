"""What stands around a call to MongoDB: its deadline is the driver's and the server's, too."""

import asyncio
import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pymongo
from pymongo.errors import InvalidOperation, PyMongoError

from infrastructure.connections.calls import Bounded, Calling
from infrastructure.connections.database.mongodb.errors import lost_answer, was_not_applied
from infrastructure.errors import UnavailableError
from infrastructure.resilience.deadlines import remaining

if TYPE_CHECKING:
    from infrastructure.connections.database.mongodb.component import MongodbComponent

#: The driver gives up before the deadline does, so that what it waited for can be told.
SHARE_OF_DEADLINE = 0.8
LEAST_SECONDS = 0.001
_GOODBYE_SECONDS = 0.5


class Piece(Bounded):
    """A piece of a call; its deadline is told to the driver, and to the server as `maxTimeMS`.

    Args:
        manager: Whose call.
        client: The driver's client it goes on with, such as a cursor's; None takes the open one.
    """

    __slots__ = ("_driver", "client")

    _manager: "MongodbComponent"

    def __init__(self, manager: "MongodbComponent", client: Any = None) -> None:
        super().__init__(manager)
        self.client = client

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self.client is None:
            self.client = self._manager.open_client
        # the client's own bound would begin only when a call has its turn in Motor's threads
        left = (self.remaining() if self.outer is None else remaining()) or 0.0
        self._driver = pymongo.timeout(max(LEAST_SECONDS, SHARE_OF_DEADLINE * left))
        self._driver.__enter__()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._driver.__exit__(None, None, None)
        if isinstance(error, InvalidOperation) and self.client is not self._manager.open_client:
            closed = UnavailableError("was closed while in use", where=self._manager.name)
            await super().__aexit__(UnavailableError, closed, trace)
            raise closed from error
        task = self.task
        await super().__aexit__(kind, error, trace)
        if error is None and task is not None and task.cancelling() > self._cancels:
            # `wait_for` of Python 3.11, which the driver waits with, forgets a cancellation that
            # comes together with the answer: a loop such as a change stream's would never end
            raise asyncio.CancelledError


class Reading(Piece, Calling):
    """A whole call that changes nothing."""

    __slots__ = ()


class Writing(Reading):
    """A whole call that changes something: no answer is an unknown outcome."""

    __slots__ = ()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        except UnavailableError as lost:
            if was_not_applied(error):
                raise
            raise lost_answer(lost, "the write") from error


async def settled(value: Any) -> Any:
    """The value itself, or what it is awaited for: PyMongo awaits what Motor gives at once."""
    return await value if inspect.isawaitable(value) else value


async def closed(cursor: Any) -> None:
    """Close a cursor or a stream; the server forgets it by itself where it does not hear of it."""
    with suppress(PyMongoError, TimeoutError), pymongo.timeout(_GOODBYE_SECONDS):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await settled(cursor.close())
