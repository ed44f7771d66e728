"""A cache in memcached."""

import asyncio
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeVar
from weakref import WeakValueDictionary

from pydantic import Field, SecretStr, model_validator

from infrastructure.cache.base import MISSING, BaseCacheProvider, CacheRegistry, CacheType
from infrastructure.cache.implementations.breaker_settings import CacheBreakerSettings
from infrastructure.cache.implementations.memcached.items import Item, Items, name_of
from infrastructure.cache.implementations.memcached.line import Line, Store
from infrastructure.cache.implementations.memcached.pool import MemcachedPool, raise_doubt
from infrastructure.cache.implementations.whole_numbers import sum_of
from infrastructure.config.models.cache import CacheSettings
from infrastructure.config.models.serialization import EnvelopeSettings
from infrastructure.connections.tls import tls_context
from infrastructure.errors import (
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    UnavailableError,
)
from infrastructure.observability.metrics import Measurement, counter
from infrastructure.resilience import deadline
from infrastructure.serialization import Envelope, UnreadableError

T = TypeVar("T")

_KEYS_A_COMMAND: Final = 500
#: Of the deadline, how long a free connection is waited for.
_WAIT_SHARE: Final = 0.8


class MemcachedCacheSettings(CacheSettings):
    """A block under `cache:` with kind memcached."""

    kind: str = "memcached"
    host: str = "localhost"
    port: int = Field(default=11211, gt=0, lt=65536)
    username: str = Field(default="", description="Of a server started with an auth file.")
    password: SecretStr = SecretStr("")
    tls: bool = Field(default=False, description="Speak TLS and verify the certificate.")
    tls_ca_file: Path | None = Field(
        default=None,
        description="A PEM file of authorities to trust; null trusts the system's.",
    )
    max_connections: int = Field(default=10, gt=0, description="Bound on open connections.")
    key_prefix: str = Field(
        default="", description="Stands before every key; keeps applications apart."
    )
    max_item_bytes: int = Field(
        default=1_000_000, gt=0, description="Bound on a stored value; the server's option -I."
    )
    envelope: EnvelopeSettings = EnvelopeSettings()
    breaker: CacheBreakerSettings = CacheBreakerSettings()

    @model_validator(mode="after")
    def _has_a_whole_login(self) -> Self:
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password go together")
        if any(part.isspace() for part in self.username):
            raise ValueError("username must not have blanks")
        return self


@CacheRegistry.register(CacheType.MEMCACHED)
class MemcachedCacheProvider(BaseCacheProvider):
    """Shared by every process that uses the same server and `key_prefix`.

    A key longer than 250 bytes, or with blanks or control characters, is stored under a digest
    and compared whole when read. Lifetimes below a second are kept by the clocks of those who
    read, all others by the server's too. A stored value that cannot be read counts as not there.
    Calls go through a circuit breaker: while the server does not answer, they are refused at once.

    Attributes:
        breaker: What refuses calls while the server is down; None when it is not wanted.
    """

    Settings: ClassVar[type[MemcachedCacheSettings]] = MemcachedCacheSettings
    settings: MemcachedCacheSettings
    batches: ClassVar[bool] = True

    def __init__(self, settings: MemcachedCacheSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        envelope = Envelope.of(settings.envelope, where=self.name)
        most = settings.max_item_bytes
        self._items = Items(envelope, max_item_bytes=most, where=self.name)
        self.breaker = settings.breaker.breaker(f"{self.name}.breaker")
        self._pool: MemcachedPool | None = None
        self._behind: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def unreadable(self) -> Mapping[str, int]:
        """How many stored values could not be read, by reason."""
        return self._items.unreadable

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""
        if not keys:
            return []
        found = await self._talk(lambda line: self._found(line, keys))
        return [self._value(found[self._whole(key)]) for key in keys]

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all in one exchange; when a value is refused, none."""
        until = time.time() + ttl_seconds
        items = {key: Item(until, self._items.body(value)) for key, value in values.items()}
        commands = [self._command("set", self._whole(key), item) for key, item in items.items()]
        if commands:
            await self._talk(lambda line: line.store(commands))

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        if not keys:
            return 0
        names = list(dict.fromkeys(name_of(self._whole(key)) for key in keys))

        async def delete(line: Line) -> int:
            found = await self._found(line, keys)
            await line.delete(names)
            return sum(item.body is not None for item in found.values())

        return await self._talk(delete)

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is no such key."""
        found = await self._talk(lambda line: self._found(line, [key]))
        item = found[self._whole(key)]
        return None if item.body is None else item.until - time.time()

    async def expire(self, key: str, ttl_seconds: float) -> bool:
        """Give the value a new lifetime from now on; say whether there is one."""

        def change(item: Item) -> tuple[Item | None, bool]:
            if item.body is None:
                return None, False
            return item._replace(until=time.time() + ttl_seconds), True

        return await self._update_again(key, change)

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number, in one step for all processes; say what it is now.

        Raises:
            ConflictError: The value is not an int, or the sum is beyond 64 bits.
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been added.
        """

        def change(item: Item) -> tuple[Item | None, int]:
            value = self._value(item)
            total = sum_of(0 if value is MISSING else value, amount, self.name)
            until = time.time() + ttl_seconds if value is MISSING else item.until
            return Item(until, self._items.body(total)), total

        return await self._update(key, change)

    async def add(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one, in one step for all processes; say whether it was.

        Raises:
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been stored.
        """
        body = self._items.body(value)

        def change(item: Item) -> tuple[Item | None, bool]:
            if self._value(item) is not MISSING:
                return None, False
            return Item(time.time() + ttl_seconds, body), True

        return await self._update(key, change)

    async def lease(self, key: str, seconds: float) -> str:
        """The right to fill `key`; empty when somebody else holds it.

        One that was asked for and whose answer was not heard is given up behind.
        """
        token = secrets.token_hex(8)

        def change(item: Item) -> tuple[Item | None, str]:
            if item.token:
                return None, ""
            return item._replace(token=token, token_until=time.time() + seconds), token

        try:
            return await self._update_again(key, change)
        except BaseException:
            if self._pool is not None:
                self._give_up(key, token)
            raise

    def _give_up(self, key: str, token: str) -> None:
        task = asyncio.create_task(self._release_quietly(key, token))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def _release_quietly(self, key: str, token: str) -> None:
        with suppress(InfrastructureError):  # a server that is gone forgets the lease by itself
            await self.release(key, token)

    async def fill(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void.

        Raises:
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been stored.
        """
        body = self._items.body(value)

        def change(item: Item) -> tuple[Item | None, bool]:
            if not lease or item.token != lease:
                return None, False
            return Item(time.time() + ttl_seconds, body), True

        return await self._update(key, change)

    async def release(self, key: str, lease: str) -> None:
        """End a lease without storing; harmless when it is void."""

        def change(item: Item) -> tuple[Item | None, None]:
            return (item.unleased() if lease and item.token == lease else None), None

        await self._update_again(key, change)

    def measurements(self) -> Iterable[Measurement]:
        """What could not be read, how many connections were made, and the breaker."""
        labels = {"component": self.name, "kind": self.settings.kind}
        opened = self._pool.opened if self._pool else 0
        yield counter("switchgear.cache.connections_opened", opened, labels, unit="{connection}")
        for reason, count in self._items.unreadable.copy().items():
            labelled = {**labels, "reason": reason}
            yield counter("switchgear.cache.unreadable", count, labelled, unit="{value}")
        if self.breaker is not None:
            yield from self.breaker.measurements()

    async def _open(self) -> None:
        settings = self.settings
        tls = tls_context(settings.tls_ca_file, self.name) if settings.tls else None
        pool = MemcachedPool(
            lambda: self._connected(tls),
            max_connections=settings.max_connections,
            wait_seconds=settings.timeout_seconds * _WAIT_SHARE,
            server=f"memcached at {settings.host}:{settings.port}",
            where=self.name,
        )
        await pool.use(Line.version, [])
        self._pool = pool

    async def _close(self) -> None:
        for task in self._behind:  # it would open what is being closed; a lease ends by itself
            task.cancel()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    async def _ping(self) -> str:
        # asked of the server itself: what the breaker says is no news
        return f"memcached {await self._talk_now(Line.version)}"

    async def _connected(self, tls: ssl.SSLContext | None) -> Line:
        settings = self.settings
        password = settings.password.get_secret_value()
        return await Line.open(
            settings.host,
            settings.port,
            tls=tls,
            login=f"{settings.username} {password}" if settings.username else "",
            where=self.name,
        )

    async def _talk(self, talk: Callable[[Line], Awaitable[T]], end: float = 0.0) -> T:
        """Talk over a line, until a moment of the loop's clock, as far as the breaker lets."""
        if self.breaker is None:
            return await self._talk_now(talk, end)
        return await self.breaker.run(self._talk_now, talk, end)

    async def _talk_now(self, talk: Callable[[Line], Awaitable[T]], end: float = 0.0) -> T:
        clock = asyncio.get_running_loop().time
        seconds = end - clock() if end else self.settings.timeout_seconds
        lines: list[Line] = []
        try:
            async with deadline(seconds, self.name):
                await self.connect()
                return await self._live_pool().use(talk, lines)
        except DeadlineExceededError as error:
            raise_doubt(lines, error, self.name)
            raise

    def _live_pool(self) -> MemcachedPool:
        if self._pool is None:
            raise UnavailableError("it was closed meanwhile", where=self.name)
        return self._pool

    async def _found(self, line: Line, keys: Sequence[str]) -> dict[str, Item]:
        """What each key holds now, by its whole name."""
        whole = list(dict.fromkeys(map(self._whole, keys)))
        names = list(dict.fromkeys(map(name_of, whole)))
        stored: dict[bytes, Any] = {}
        for start in range(0, len(names), _KEYS_A_COMMAND):
            part = names[start : start + _KEYS_A_COMMAND]
            stored |= await line.get(part, self._most_bytes)
        found = ((key, stored.get(name_of(key))) for key in whole)
        return {key: self._items.open(key, each.data) if each else Item() for key, each in found}

    async def _update(self, key: str, change: Callable[[Item], tuple[Item | None, T]]) -> T:
        """Replace what a key holds by what `change` makes of it, in one step for all.

        Callers of this process take turns, so that they do not fail each other's comparison.
        """
        whole, name = self._whole(key), name_of(self._whole(key))

        async def update(line: Line) -> T:
            while True:
                stored = (await line.get([name], self._most_bytes)).get(name)
                new, answer = change(self._items.open(whole, stored.data) if stored else Item())
                if new is None:
                    return answer
                verb, unique = ("cas", stored.unique) if stored else ("add", 0)
                if (await line.store([self._command(verb, whole, new, unique)]))[0]:
                    return answer

        end = asyncio.get_running_loop().time() + self.settings.timeout_seconds
        turn = self._turns.setdefault(whole, asyncio.Lock())
        async with deadline(self.settings.timeout_seconds, self.name):
            await turn.acquire()
        try:
            return await self._talk(update, end)
        finally:
            turn.release()

    async def _update_again(self, key: str, change: Callable[[Item], tuple[Item | None, T]]) -> T:
        """As `_update`, where it does no harm that what was not answered may have been applied."""
        try:
            return await self._update(key, change)
        except OutcomeUnknownError as error:
            raise UnavailableError(error.what, where=self.name) from error

    def _command(self, verb: str, whole: str, item: Item, unique: int = 0) -> Store:
        data = self._items.seal(whole, item)
        return Store(verb, name_of(whole), data, item.exptime(time.time()), unique)

    def _value(self, item: Item) -> Any:
        if item.body is None:
            return MISSING
        try:
            return self._items.value(item.body)
        except UnreadableError:
            return MISSING

    def _whole(self, key: str) -> str:
        return f"{self.settings.key_prefix}{key}"

    @property
    def _most_bytes(self) -> int:
        return 2 * self.settings.max_item_bytes + 2**20
