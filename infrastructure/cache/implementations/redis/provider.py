"""A cache in Redis or Valkey."""

import asyncio
import secrets
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from infrastructure.cache.backplane import Backplane
from infrastructure.cache.base import BaseCacheProvider, CacheRegistry, CacheType
from infrastructure.cache.implementations.redis import scripts
from infrastructure.cache.implementations.redis.backplane import RedisBackplane
from infrastructure.cache.implementations.redis.names import PhysicalNames
from infrastructure.cache.implementations.redis.settings import RedisCacheSettings
from infrastructure.cache.implementations.redis.values import END, StoredValues
from infrastructure.cache.implementations.whole_numbers import INT_MAX, INT_MIN
from infrastructure.connections.redis_component import RedisComponent
from infrastructure.connections.redis_errors import code_word
from infrastructure.connections.redis_pool import Call
from infrastructure.errors import ConflictError, RejectedError, UnsupportedError
from infrastructure.observability.metrics import COMPONENT, Measurement, counter

#: Lua cannot take many more arguments at once.
_KEYS_A_SCRIPT: Final = 1000


@CacheRegistry.register(CacheType.REDIS)
class RedisCacheProvider(RedisComponent, BaseCacheProvider):
    """Shared by every process that uses the same servers, database and `key_prefix`.

    A stored value that was not written by this project, or is cut or damaged, counts as not
    there; the next `set` replaces it. Calls go through a circuit breaker: while the server does
    not answer, they are refused at once.

    `add`, `increment` and `fill` are never sent twice. When their answer is lost they raise
    OutcomeUnknownError; everything else may be sent again, on a line that had died while idle.

    Attributes:
        breaker: What refuses calls while the server is down; None when it is not wanted.
    """

    Settings: ClassVar[type[RedisCacheSettings]] = RedisCacheSettings
    settings: RedisCacheSettings
    batches: ClassVar[bool] = True

    def __init__(self, settings: RedisCacheSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.breaker = settings.breaker.breaker(f"{self.name}.breaker")
        self._is_cluster = settings.is_cluster
        self._names = PhysicalNames(settings.key_prefix)
        self._values = StoredValues(settings.envelope, where=self.name)

    @property
    def corrupt_values(self) -> int:
        """How many stored values could not be read so far."""
        return self._values.unreadable

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""
        if not keys:
            return []
        names = self._names.values(keys)
        if not self._is_cluster:
            (stored,) = await self._send(_look(names))
            return self._values.read_all(keys, stored)
        parts = self.together(names)
        answers = await self._send(*[_look([names[at] for at in part]) for part in parts])
        found = {
            at: raw
            for part, stored in zip(parts, answers, strict=True)
            for at, raw in zip(part, stored, strict=True)
        }
        return self._values.read_all(keys, [found[at] for at in range(len(keys))])

    def look(self, keys: Sequence[str]) -> Awaitable[list[Any]]:
        """As `get_many`, joined with others of this turn of the loop."""
        return self._joined.read(keys)  # the base's, a coroutine shorter

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all in one round trip; when a value is refused, none."""
        if values:
            await self._send(*self._stores(values, ttl_seconds))

    async def set_and_look(self, values: Mapping[str, Any], ttl_seconds: float, key: str) -> Any:
        """Store all, then read another `key`.

        One round trip when one server has them all; in a cluster the look comes after.
        """
        look = _look([self._names.value(key)])
        stores = self._stores(values, ttl_seconds)
        if self._is_cluster:
            await self._send(*stores)
            answers = await self._send(look)
        else:
            answers = await self._send(*stores, look)
        return self._values.read(key, answers[-1][0])

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        names = [self._names.value(key) for key in dict.fromkeys(keys)]
        calls = [
            self._script(scripts.DELETE, [names[at] for at in part], may_repeat=True)
            for part in self._parts(names)
        ]
        return sum(await self._send(*calls)) if calls else 0

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is no such key."""
        name = self._names.value(key)
        (milliseconds,) = await self._send(Call("PTTL", name, key=name, may_repeat=True))
        return milliseconds / 1000 if milliseconds >= 0 else None

    async def expire(self, key: str, ttl_seconds: float) -> bool:
        """Give the value a new lifetime from now on; say whether there is one."""
        name = self._names.value(key)
        call = Call("PEXPIRE", name, _milliseconds(ttl_seconds), key=name, may_repeat=True)
        return bool((await self._send(call))[0])

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number, in one step for all processes; say what it is now.

        Raises:
            ConflictError: The value is not an int, or the sum is beyond 64 bits.
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been added.
            UnsupportedError: Values are signed, and the server cannot sign a sum.
        """
        if self._values.are_signed:
            raise UnsupportedError("signed values cannot be incremented", where=self.name)
        if not INT_MIN <= amount <= INT_MAX:
            raise ConflictError("the amount is beyond 64 bits", where=self.name)
        arguments = (_milliseconds(ttl_seconds), str(amount), self._values.number_mark, END)
        call = self._script(scripts.INCREMENT, [self._names.value(key)], *arguments)
        try:
            return int((await self._send(call))[0])
        except RejectedError as error:
            what = _CONFLICTS.get(code_word(error.__cause__))
            if what is None:
                raise
            raise ConflictError(what, where=self.name) from error

    async def add(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one, in one step for all processes; say whether it was.

        Raises:
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been stored.
        """
        arguments = (_milliseconds(ttl_seconds), self._values.write(key, value))
        call = self._script(scripts.ADD, [self._names.value(key)], *arguments)
        return bool((await self._send(call))[0])

    async def lease(self, key: str, seconds: float) -> str:
        """The right to fill `key`, held by one at a time and at most for `seconds`.

        One that was asked for and whose answer was not heard is given up behind.
        """
        token, name = secrets.token_hex(16), self._names.lease(self._names.value(key))
        command = ("EVAL", scripts.LEASE, 1, name, _milliseconds(seconds), token)
        call = Call(*command, key=name, may_repeat=True)
        try:
            return token if (await self._send(call))[0] else ""
        except BaseException:
            if call.in_doubt and self._topology is not None:
                self.send_behind(_release(name, token))
            raise

    async def fill(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void.

        Raises:
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been stored.
        """
        arguments = (_milliseconds(ttl_seconds), lease, self._values.write(key, value))
        call = self._script(scripts.FILL, [self._names.value(key)], *arguments)
        return bool((await self._send(call))[0])

    async def release(self, key: str, lease: str) -> None:
        """End a lease without storing, even when the caller is cancelled meanwhile.

        A server that does not answer is logged and not raised: the lease ends by itself.
        """
        await self.connect()
        name = self._names.lease(self._names.value(key))
        await asyncio.shield(self.send_behind(_release(name, lease)))

    def backplane(self) -> Backplane | None:
        """Tells of changed keys, for who keeps copies; None in a cluster.

        There each member tells of its own keys only.
        """
        if self.settings.is_cluster:
            return None
        return RedisBackplane(
            self.subscriber,
            self._names,
            where=self.name,
            heartbeat_seconds=self.settings.heartbeat_seconds,
        )

    def measurements(self) -> Iterable[Measurement]:
        """The pools, the breaker, and values that could not be read."""
        yield from super().measurements()
        labels = {COMPONENT: self.name}
        yield counter("switchgear.cache.corrupt_values", self.corrupt_values, labels)
        if self.breaker is not None:
            yield from self.breaker.measurements()

    async def _send(self, *calls: Call) -> list[Any]:
        if self.breaker is None:
            return await self.run(*calls)
        return await self.breaker.run(self.run, *calls)

    def _stores(self, values: Mapping[str, Any], ttl_seconds: float) -> list[Call]:
        names = self._names.values([*values])
        stored = [self._values.write(key, value) for key, value in values.items()]
        milliseconds = _milliseconds(ttl_seconds)
        return [
            self._script(
                scripts.SET,
                [names[at] for at in part],
                milliseconds,
                *(stored[at] for at in part),
                may_repeat=True,
            )
            for part in self._parts(names)
        ]

    def _parts(self, names: Sequence[str]) -> list[list[int]]:
        """The indexes of the names for each script."""
        return [
            group[first : first + _KEYS_A_SCRIPT]
            for group in self.together(names)
            for first in range(0, len(group), _KEYS_A_SCRIPT)
        ]

    def _script(
        self, text: str, names: list[str], *arguments: Any, may_repeat: bool = False
    ) -> Call:
        """A script over values and their leases."""
        leases = [self._names.lease(name) for name in names]
        command = ("EVAL", text, 2 * len(names), *names, *leases, *arguments)
        return Call(*command, key=names[0], may_repeat=may_repeat)


_CONFLICTS: Final = {
    "NOTANUMBER": "what is stored is not a whole number of 64 bits",
    "WRONGTYPE": "what is stored is not a whole number of 64 bits",
    "TOOLARGE": "the sum is beyond 64 bits",
}


def _look(names: list[str]) -> Call:
    return Call("MGET", *names, key=names[0], may_repeat=True)


def _release(lease_name: str, token: str) -> Call:
    command = ("EVAL", scripts.RELEASE, 1, lease_name, token)
    return Call(*command, key=lease_name, may_repeat=True)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
