"""A cluster: keys spread over servers by slot, and redirections followed."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

from redis import exceptions as vendor
from redis.crc import key_slot

from infrastructure.connections.redis_address import Endpoint, RedisAddress
from infrastructure.connections.redis_errors import raise_tls
from infrastructure.connections.redis_line import Command, Line
from infrastructure.connections.redis_pool import Call, RedisPool
from infrastructure.connections.redis_topology import Topology
from infrastructure.errors import UnavailableError
from infrastructure.resilience import SingleFlight

_SLOTS: Final = 16384
_MAX_REDIRECTS: Final = 5
_ASKING: Final[Command] = ("ASKING",)


class Cluster(Topology):
    """Servers that each hold a range of slots.

    A refusal with a redirection was not applied, so that following it repeats nothing. Who holds
    which slot is asked again after a redirection, and after a server could not be reached.

    Attributes:
        redirects: How many redirections were followed so far.
        refreshes: How often the slots were asked for so far.
    """

    def __init__(self, address: RedisAddress, **bounds: Any) -> None:
        super().__init__(address, **bounds)
        self._pools: dict[Endpoint, RedisPool] = {}
        self._owner: list[Endpoint | None] = [None] * _SLOTS
        self._is_stale = True
        self._suspects: dict[Endpoint, None] = {}
        self._refreshing: SingleFlight[None] = SingleFlight()
        self.redirects = 0
        self.refreshes = 0

    async def open(self) -> None:
        """Ask who holds which slot, and open `warm_connections` to each."""
        await self._refresh()
        await asyncio.gather(
            *(pool.warm(self.address.warm_connections) for pool in self._pools.values())
        )

    async def close(self) -> None:
        """Close every connection to every server."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    def pools(self) -> Iterable[RedisPool]:
        """One for each server that holds slots."""
        return tuple(self._pools.values())

    async def subscriber(self, key: str = "") -> Line:
        """A connection to any server: a cluster gives publications on to all its members.

        What is kept to the member that has the slot of `key`, is heard there.
        """
        if key:
            await self._refreshing.do("slots", self._refresh)  # a line cannot follow redirections
            return await self.maker.open(self._owner_of(Call(key=key)))
        failures: list[Exception] = []
        for endpoint in self._known():
            try:
                return await self.maker.open(endpoint)
            except (vendor.RedisError, OSError) as error:
                failures.append(error)
        raise failures[-1]

    async def ping(self) -> str:
        """Every server that holds slots answers."""
        call = Call("PING", may_repeat=True)
        await asyncio.gather(*(pool.run([call]) for pool in self._pools.values()))
        return f"{len(self._pools)} servers of the cluster {self.address.label} answered a PING"

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """One round trip to each server concerned, all at once; more where one redirects."""
        if self._is_stale:
            await self._refreshing.do("slots", self._refresh)
        answers: list[Any] = [None] * len(calls)
        shares = self._shares(calls)
        if len(shares) == 1:
            ((endpoint, share),) = shares.items()
            await self._run_share(endpoint, share, calls, answers)
            return answers
        parts = (self._run_share(place, share, calls, answers) for place, share in shares.items())
        results = await asyncio.gather(*parts, return_exceptions=True)
        for result in results:
            if result is not None:
                raise result
        return answers

    def _shares(self, calls: Sequence[Call]) -> dict[Endpoint, list[int]]:
        """The indexes of the calls for each server."""
        shares: dict[Endpoint, list[int]] = {}
        for index, call in enumerate(calls):
            shares.setdefault(self._owner_of(call), []).append(index)
        return shares

    def _owner_of(self, call: Call) -> Endpoint:
        if not call.key:
            return next(iter(self._pools))
        owner = self._owner[_slot_of(call.key)]
        if owner is None:
            self._is_stale = True
            raise UnavailableError("no server of the cluster holds the slot", where=self.where)
        return owner

    async def _run_share(
        self, endpoint: Endpoint, share: list[int], calls: Sequence[Call], answers: list[Any]
    ) -> None:
        found = await self._send(endpoint, [calls[index] for index in share])
        for index, answer in zip(share, found, strict=True):
            is_moved = isinstance(answer, vendor.AskError)  # of which MOVED is a kind
            if is_moved:
                answer = await self._redirected(calls[index], answer, endpoint)  # noqa: PLW2901 - its end
            answers[index] = answer

    async def _redirected(self, call: Call, answer: Any, asked: Endpoint) -> Any:
        """Follow one call from server to server; one that names no host means its own."""
        for _ in range(_MAX_REDIRECTS):
            if not isinstance(answer, vendor.AskError):
                return answer
            self.redirects += 1
            target = asked = Endpoint(answer.host or asked.host, answer.port)
            is_for_good = isinstance(answer, vendor.MovedError)
            if is_for_good:
                self._owner[answer.slot_id] = target
                self._is_stale = True
            (answer,) = await self._send(target, [call], None if is_for_good else _ASKING)
        raise UnavailableError("the cluster redirects in a circle", where=self.where)

    async def _send(
        self, endpoint: Endpoint, calls: Sequence[Call], before: Command | None = None
    ) -> list[Any]:
        try:
            answers = await self._pool_at(endpoint).run(calls, before=before)
        except BaseException:
            self._is_stale = True
            self._suspect(endpoint)
            raise
        if any(isinstance(answer, vendor.ClusterDownError) for answer in answers):
            self._is_stale = True
        return answers

    def _pool_at(self, endpoint: Endpoint) -> RedisPool:
        if endpoint not in self._pools:
            self._pools[endpoint] = self._pool(endpoint)
        return self._pools[endpoint]

    def _known(self) -> list[Endpoint]:
        """Whom to ask: the servers in use, then those of the settings; those that failed, last."""
        known = dict.fromkeys((*self._pools, *self.address.endpoints))
        suspects = [endpoint for endpoint in self._suspects if endpoint in known]
        return [*(endpoint for endpoint in known if endpoint not in self._suspects), *suspects]

    def _suspect(self, endpoint: Endpoint) -> None:
        self._suspects.pop(endpoint, None)
        self._suspects[endpoint] = None

    async def _refresh(self) -> None:
        """Take the slots from the first server that can tell them."""
        failures: list[str] = []
        errors: list[Exception] = []
        for endpoint in self._known():
            self._suspect(endpoint)  # until it has told; who waits may leave before that
            try:
                ranges = await self._ask(endpoint)
            except (vendor.RedisError, OSError) as error:
                failures.append(f"{endpoint} failed ({type(error).__name__})")
                errors.append(error)
                if isinstance(error, vendor.AuthenticationError):
                    raise
                continue
            if ranges:
                await self._adopt(ranges, endpoint)
                return
            failures.append(f"{endpoint} holds no slots")
        raise_tls(errors)
        raise UnavailableError(
            f"no server tells the slots of the cluster: {', '.join(failures)}", where=self.where
        )

    async def _ask(self, endpoint: Endpoint) -> list[Any]:
        """On a line of its own, bounded: a pool may be full of calls that hang."""
        async with asyncio.timeout(self.ask_seconds):
            line = await self.maker.open(endpoint)
            try:
                (answer,) = await line.exchange([("CLUSTER", "SLOTS")])
            finally:
                await line.cut()
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    async def _adopt(self, ranges: list[Any], teller: Endpoint) -> None:
        owner: list[Endpoint | None] = [None] * _SLOTS
        for first, last, master, *_ in ranges:
            # No host, or an empty one, means the one that was asked.
            endpoint = Endpoint((master[0] or b"").decode() or teller.host, int(master[1]))
            owner[first : last + 1] = [endpoint] * (last + 1 - first)
        self._owner, self._is_stale, self._suspects = owner, False, {}
        self.refreshes += 1
        holders = {endpoint for endpoint in owner if endpoint is not None}
        for endpoint in holders:
            self._pool_at(endpoint)
        for endpoint in set(self._pools) - holders:
            await self._pools.pop(endpoint).retire()


def by_slot(keys: Sequence[str]) -> list[list[int]]:
    """The indexes of the keys of each slot."""
    groups: dict[int, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(_slot_of(key), []).append(index)
    return list(groups.values())


def _slot_of(key: str) -> int:
    """A key that is no text is written with surrogates."""
    return int(key_slot(key.encode(errors="surrogateescape")))
