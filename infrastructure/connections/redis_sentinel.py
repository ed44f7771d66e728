"""The master that sentinels know: found, checked, and left as soon as it is another."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from redis import exceptions as vendor

from infrastructure.connections.redis_address import Endpoint, RedisAddress
from infrastructure.connections.redis_errors import raise_tls
from infrastructure.connections.redis_line import Line
from infrastructure.connections.redis_listener import RedisListener
from infrastructure.connections.redis_pool import Call, RedisPool
from infrastructure.connections.redis_topology import Topology, was_demoted
from infrastructure.errors import InfrastructureError, UnavailableError
from infrastructure.observability.logging import get_logger

_SWITCH = "+switch-master"
_log = get_logger(__name__)


class SentinelMaster(Topology):
    """The present master of `master_name`.

    Every new connection asks the server for its role. A switch is heard from a sentinel, and
    asked after every `role_check_seconds` in case it was not heard; until then, writes that the
    old master has acknowledged may be lost, as replication is asynchronous.

    Attributes:
        switches: How often another server became master so far.
    """

    def __init__(self, address: RedisAddress, **bounds: Any) -> None:
        super().__init__(address, **bounds)
        self._sentinels = list(address.endpoints)
        self._master: Endpoint | None = None
        self._served_by: Endpoint | None = None
        self._only = self._pool_of(self._open_master)
        self._listener = RedisListener(
            self._open_sentinel,
            [_SWITCH],
            on_message=self._heard,
            on_reconnect=self._look_again,
            where=self.where,
        )
        self._watch: asyncio.Task[None] | None = None
        self.switches = 0

    async def open(self) -> None:
        """Find the master, open `warm_connections` to it, and begin to watch."""
        await self._only.warm(max(1, self.address.warm_connections))
        self._listener.start()
        self._watch = asyncio.create_task(self._check_forever())

    async def close(self) -> None:
        """End the watch and close every connection."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait((self._watch,))
        await self._listener.stop()
        await self._only.close()

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """One round trip to the master."""
        try:
            answers = await self._only.run(calls)
        except (vendor.RedisError, OSError):
            self._master = None  # the next connection asks the sentinels
            raise
        if was_demoted(answers):
            await self._leave("it has become a replica")
        return answers

    def pools(self) -> Iterable[RedisPool]:
        """The master's."""
        return (self._only,)

    async def subscriber(self, key: str = "") -> Line:  # noqa: ARG002 - it has every slot
        """A connection of its own to the master."""
        return await self._open_master()

    async def _open_master(self) -> Line:
        switches, master = self.switches, self._master or await self._ask_sentinels()
        self._master = None  # until it has proved to be one
        line = await self.maker.open(master)
        await self._check_role(line, master)
        if switches != self.switches:
            await line.cut()
            raise UnavailableError("the master changed meanwhile", where=self.where)
        if self._served_by not in {None, master}:
            await self._leave(f"the master is {master} now")
        self._master = self._served_by = master
        return line

    async def _check_role(self, line: Line, place: Endpoint) -> None:
        (answer,) = await line.exchange([("ROLE",)])
        if isinstance(answer, vendor.NoPermissionError) or _role(answer) == b"master":
            return  # one who may not ask has to trust the sentinels
        await line.cut()
        raise UnavailableError(f"redis at {place} is not a master", where=self.where)

    async def _ask_sentinels(self) -> Endpoint:
        """What the first sentinel that knows says; one that does not is asked last from then on."""
        failures: list[str] = []
        errors: list[Exception] = []
        for sentinel in tuple(self._sentinels):
            try:
                found = await self._ask(sentinel)
            except (vendor.RedisError, OSError) as error:
                failures.append(f"{sentinel} failed ({type(error).__name__})")
                errors.append(error)
            else:
                if found is not None:
                    return found
                failures.append(f"{sentinel} does not know it")
            self._sentinels.remove(sentinel)
            self._sentinels.append(sentinel)
        raise_tls(errors)
        raise UnavailableError(
            f"no sentinel names a master '{self.address.master_name}': {', '.join(failures)}",
            where=self.where,
        )

    async def _ask(self, sentinel: Endpoint) -> Endpoint | None:
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.address.master_name)
        async with asyncio.timeout(self.ask_seconds):
            line = await self.maker.open(sentinel, to_sentinel=True)
            try:
                (answer,) = await line.exchange([command])
            finally:
                await line.cut()
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else Endpoint(answer[0].decode(), int(answer[1]))

    async def _open_sentinel(self) -> Line:
        """A line to any sentinel; the next one is tried first when this one fails later."""
        last: Exception = UnavailableError("no sentinel", where=self.where)
        for _ in range(len(self._sentinels)):
            sentinel = self._sentinels.pop(0)
            self._sentinels.append(sentinel)
            try:
                return await self.maker.open(sentinel, to_sentinel=True)
            except (vendor.RedisError, OSError) as error:
                last = error
        raise last

    async def _heard(self, _: str, data: bytes) -> None:
        """`name old-host old-port new-host new-port`."""
        name, *places = data.decode(errors="replace").split(" ")
        if name == self.address.master_name:
            await self._follow(Endpoint(places[2], int(places[3])))

    async def _look_again(self) -> None:
        """A switch may have been missed while nobody listened."""
        await self._follow(await self._ask_sentinels())

    async def _check_forever(self) -> None:
        while True:
            await asyncio.sleep(self.address.role_check_seconds)
            with suppress(vendor.RedisError, OSError, InfrastructureError):
                async with asyncio.timeout(self.address.role_check_seconds + self.timeout_seconds):
                    await self._check()

    async def _check(self) -> None:
        """Ask the sentinels, and the master itself; a call meets the outage, if there is one."""
        await self._look_again()
        (answer,) = await self._only.run([Call("ROLE", may_repeat=True)])
        if isinstance(answer, list) and _role(answer) != b"master":
            await self._leave("it has become a replica")

    async def _follow(self, master: Endpoint) -> None:
        if self._served_by not in {None, master}:
            await self._leave(f"the master is {master} now")
        self._master = master

    async def _leave(self, reason: str) -> None:
        """Use none of the connections to what was the master any more."""
        left, self._served_by, self._master = self._served_by, None, None
        _log.warning("redis master left", where=self.where, server=str(left), reason=reason)
        self.switches += 1
        await self._only.drop()


def _role(answer: Any) -> bytes | None:
    return answer[0] if isinstance(answer, list) and answer else None
