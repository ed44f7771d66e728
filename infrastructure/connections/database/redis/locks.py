"""Locks that end by themselves, with tokens that only ever rise."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from infrastructure.connections.database.redis.calls import RedisCalls
from infrastructure.connections.database.redis.guests import Guest
from infrastructure.connections.database.redis.lease import (
    LONGEST_LEASE_SECONDS,
    Lease,
    keep_renewing,
)
from infrastructure.connections.database.redis.scripts import RedisScript, beside
from infrastructure.errors import ConfigurationError, InfrastructureError, OverloadedError
from infrastructure.observability.logging import get_logger
from infrastructure.operations import observing

_log = get_logger(__name__)
_LONGEST_PAUSE_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 0.02
#: How long a place in the queue lasts when its owner does not ask again.
_PATIENCE_MILLISECONDS: Final = 1000
#: For so long the last token is remembered after a lock ended; by then, the clock is beyond it.
_MEMORY_MILLISECONDS: Final = 3_600_000

#: In microseconds: two tokens of one millisecond are to differ, though the first is forgotten.
_NOW: Final = """\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function whole(number) return string.format('%.0f', number) end
"""

#: KEYS: lock, queue, who waits until when; ARGV: who asks, milliseconds of the lease, of a place
#: in the queue (0 for none), of memory. Gives the token, or 0 and how many are before. A token
#: is the time unless that has not risen, so that it rises even when the server lost its data.
_ACQUIRE: Final = RedisScript(
    "lock.acquire",
    _NOW
    + """\
local held = redis.call('HMGET', KEYS[1], 'holder', 'until', 'token')
local is_mine = held[1] == ARGV[1]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
local is_free = not held[1] or tonumber(held[2]) <= now
if is_mine or (is_free and (not first or first == ARGV[1])) then
  local token = is_mine and held[3]
    or whole(math.max(tonumber(held[3] or 0) + 1, now))
  redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'token', token,
    'until', whole(now + ARGV[2] * 1000))
  redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[4])
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return {token, 0}
end
if ARGV[3] == '0' then return {'0', 0} end
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
redis.call('ZADD', KEYS[3], now + ARGV[3] * 1000, ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return {'0', redis.call('ZRANK', KEYS[2], ARGV[1])}""",
    keys=3,
    arguments=4,
)

#: KEYS: lock; ARGV: who asks, milliseconds of the lease, of memory.
_RENEW: Final = RedisScript(
    "lock.renew",
    _NOW
    + """\
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', whole(now + ARGV[2] * 1000))
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3])
return 1""",
    keys=1,
    arguments=3,
)

#: KEYS: lock, queue, who waits until when; ARGV: who leaves.
_RELEASE: Final = RedisScript(
    "lock.release",
    """\
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], 'holder', 'until')""",
    keys=3,
    arguments=1,
)


class HeldLock(Guest):
    """A lock one holds.

    Attributes:
        name: The lock's.
        token: Higher than that of every holder before. Whoever keeps what the lock protects
            compares it, and refuses one below the highest it has seen: a holder that was
            stopped for long may wake and write before it hears that its time was over.
    """

    __slots__ = ("_lease", "name", "token")

    def __init__(self, name: str, token: int, lease: Lease) -> None:
        self.name = name
        self.token = token
        self._lease = lease

    @property
    def is_held(self) -> bool:
        """Whether it is held now, as far as can be known without asking."""
        return self._lease.is_held

    def check(self) -> None:
        """Harmless while it is held; for code that does not wait, which cannot be cut.

        Raises:
            LeaseLostError: It has ended.
        """
        self._lease.check()

    async def end(self) -> None:
        """Cut the work: the connection is being closed, and nothing renews the lock any more."""
        self._lease.lose()


class LockRequest:
    """One way to the lock `name`: asked for, renewed, and given back, under a name of its own."""

    def __init__(self, manager: RedisCalls, name: str, lease_seconds: float) -> None:
        if not 0 < lease_seconds <= LONGEST_LEASE_SECONDS:
            raise ConfigurationError(
                f"lease_seconds has to be above 0, and a day at most, found {lease_seconds}",
                where=manager.name,
            )
        self._manager = manager
        self._name = name
        self._lease_seconds = lease_seconds
        self._milliseconds = max(1, round(lease_seconds * 1000))
        lock = beside(name, ":lock", manager.name)
        self._keys = (lock, f"{lock}:queue", f"{lock}:waiting")
        self._holder = secrets.token_hex(16)

    @asynccontextmanager
    async def held(self, wait_seconds: float) -> AsyncIterator[HeldLock]:
        """Hold it around the body."""
        if not wait_seconds >= 0:
            raise ConfigurationError(
                f"wait_seconds has to be 0 or more, found {wait_seconds}", where=self._manager.name
            )
        lease = Lease(self._lease_seconds, f"lock '{self._name}'", self._manager.name)
        try:
            with observing(self._manager, "lock"):
                lock = HeldLock(self._name, await self._acquire(lease, wait_seconds), lease)
        except BaseException:
            _RELEASE.send_behind(self._manager, self._keys, (self._holder,))
            raise
        keeping = asyncio.create_task(
            keep_renewing(lease.seconds, lambda asked_at: self._renew(lease, asked_at))
        )
        try:
            self._manager.guests.admit(lock)
            async with lease.guarding():
                yield lock
        finally:
            self._manager.guests.dismiss(lock)
            keeping.cancel()
            was_held = lease.is_held and await asyncio.shield(self._release())
        if not was_held:
            lease.lose()
            lease.check()

    async def _acquire(self, lease: Lease, wait_seconds: float) -> int:
        """The token."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_seconds
        patience = _PATIENCE_MILLISECONDS if wait_seconds > 0 else 0
        arguments = (self._holder, self._milliseconds, patience, _MEMORY_MILLISECONDS)
        while True:
            asked_at = loop.time()
            token, before = await _ACQUIRE.send(
                self._manager, self._keys, arguments, may_repeat=True
            )
            if int(token):
                lease.renew(asked_at)
                return int(token)
            left = until - loop.time()
            if left <= 0:
                raise OverloadedError(
                    f"lock '{self._name}' was not had within {wait_seconds:g} s",
                    where=self._manager.name,
                )
            await asyncio.sleep(min(left, _pause(before)))

    async def _renew(self, lease: Lease, asked_at: float) -> bool:
        if not lease.is_held:
            return False
        arguments = (self._holder, self._milliseconds, _MEMORY_MILLISECONDS)
        if not await _RENEW.send(self._manager, self._keys[:1], arguments, may_repeat=True):
            lease.lose()
            return False
        lease.renew(asked_at)
        return True

    async def _release(self) -> bool:
        """Whether it was held to the end; a server that does not answer lets it end by itself."""
        try:
            arguments = (self._holder,)
            answer = await _RELEASE.send(self._manager, self._keys, arguments, may_repeat=True)
        except InfrastructureError as error:
            _log.warning(
                "a lock ends by itself, since the server does not answer",
                where=self._manager.name,
                reason=type(error).__name__,
            )
            return True
        return bool(answer)


def _pause(before: int) -> float:
    """Who is first asks often; who stands further behind, more seldom."""
    longest = min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * (before + 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads calls, guards nothing
