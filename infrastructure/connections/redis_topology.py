"""Which server a command goes to: the port of the three shapes, and the simplest of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from redis import exceptions as vendor

from infrastructure.connections.redis_address import Endpoint, RedisAddress
from infrastructure.connections.redis_errors import code_word
from infrastructure.connections.redis_line import Line, LineMaker
from infrastructure.connections.redis_pool import Call, RedisPool

#: The pool must say "exhausted" before the deadline of the call says "no answer".
POOL_WAIT_SHARE = 0.8
#: Who was asked where to go and is silent must leave time for two others, and for the call.
_ASK_SHARE = 0.3


class Topology(ABC):
    """Sends commands to the right server; belongs to one event loop.

    Nothing in it waits without a bound of the caller's, but opening one connection, which
    `connect_timeout_seconds` bounds.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        timeout_seconds: float,
        connect_timeout_seconds: float,
        where: str,
    ) -> None:
        self.address = address
        self.where = where
        self.timeout_seconds = timeout_seconds
        self.ask_seconds = _ASK_SHARE * min(timeout_seconds, connect_timeout_seconds)
        self.maker = LineMaker(
            address, connect_timeout_seconds=connect_timeout_seconds, where=where
        )

    @abstractmethod
    async def open(self) -> None:
        """Find the servers and open `warm_connections`."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection and end what watches."""

    @abstractmethod
    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """Send the calls, in as few round trips as the shape allows.

        Returns:
            The answers in order; a refusal stands among them as an exception.
        """

    @abstractmethod
    def pools(self) -> Iterable[RedisPool]:
        """One for each server."""

    @abstractmethod
    async def subscriber(self, key: str = "") -> Line:
        """A connection of its own, outside the pools, to a server that hears every publication.

        Args:
            key: A channel of which only the server that has its slot hears; empty for others.
        """

    async def ping(self) -> str:
        """Ask every server for a sign of life; say who answered."""
        (answer,) = await self.run([Call("PING", may_repeat=True)])
        if isinstance(answer, Exception):
            raise answer
        return f"redis at {self.address.label} answered a PING"

    def _pool(self, endpoint: Endpoint) -> RedisPool:
        return self._pool_of(lambda: self.maker.open(endpoint))

    def _pool_of(self, open_line: Any) -> RedisPool:
        return RedisPool(
            open_line,
            limit=self.address.max_connections,
            wait_seconds=self.timeout_seconds * POOL_WAIT_SHARE,
            where=self.where,
        )


class SingleServer(Topology):
    """One server at a fixed place."""

    def __init__(self, address: RedisAddress, **bounds: Any) -> None:
        super().__init__(address, **bounds)
        (self._endpoint,) = address.endpoints
        self._only = self._pool(self._endpoint)

    async def open(self) -> None:
        """Open `warm_connections`."""
        await self._only.warm(self.address.warm_connections)

    async def close(self) -> None:
        """Close every connection."""
        await self._only.close()

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """One round trip."""
        answers = await self._only.run(calls)
        if was_demoted(answers):
            await self._only.drop()  # the name may lead to another server by now
        return answers

    def pools(self) -> Iterable[RedisPool]:
        """The only one."""
        return (self._only,)

    async def subscriber(self, key: str = "") -> Line:  # noqa: ARG002 - it has every slot
        """A connection of its own."""
        return await self.maker.open(self._endpoint)


def was_demoted(answers: Iterable[Any]) -> bool:
    """Whether the server refused a write because it is a replica."""
    return any(
        isinstance(answer, vendor.RedisError) and code_word(answer) == "READONLY"
        for answer in answers
    )
