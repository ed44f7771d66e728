"""An entry of a stream while it is worked on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

from infrastructure.connections.database.redis.lease import Lease
from infrastructure.connections.database.redis.stream_group import Entry


class StreamMessage:
    """Worked on in `async with`: acknowledged at its end, unless the body failed.

    Meanwhile nobody else is given it. When that can no longer be said, the body is cut with
    LeaseLostError. A body that failed is begun again, by any reader of the group, once
    `lease_seconds` have gone by.

    Attributes:
        id: The entry's, such as `1700000000000-0`; ids rise.
        fields: What was published.
        deliveries: How often it was given to a reader, this time included.
        lease: Until when it is this reader's.
    """

    __slots__ = ("_begin", "_body", "_end", "deliveries", "fields", "id", "lease")

    def __init__(
        self,
        entry: Entry,
        lease: Lease,
        begin: Callable[["StreamMessage"], None],
        end: Callable[["StreamMessage", bool], Awaitable[None]],
    ) -> None:
        self.id, self.fields, self.deliveries = entry
        self.lease = lease
        self._begin = begin
        self._end = end
        self._body: AbstractAsyncContextManager[None]

    def __repr__(self) -> str:
        return f"<StreamMessage {self.id}, delivery {self.deliveries}>"

    async def __aenter__(self) -> Self:
        self._body = self._working()
        await self._body.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._body.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        self.lease.check()
        self._begin(self)
        is_done = False
        try:
            async with self.lease.guarding():
                yield
            is_done = True
        finally:
            await self._end(self, is_done)
