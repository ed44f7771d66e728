"""The one builder of Redis clients, and the one translation of Redis errors."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar, TypeVar

from pydantic import Field, SecretStr
from redis import exceptions as vendor
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from infrastructure.component import Component
from infrastructure.config.models.base import Model
from infrastructure.connections.base import PoolStats
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.resilience import deadline

T = TypeVar("T")

#: The pool must say "exhausted" before the deadline of the call says "no answer".
_POOL_WAIT_SHARE = 0.8
_POOL_EXHAUSTED = "No connection available."
_TOO_MANY_CLIENTS = "max number of clients reached"
_OVERLOADED_WORDS = frozenset({"OOM"})
_UNAVAILABLE_WORDS = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "TRYAGAIN"}
)
_REFUSED_LOGIN = (
    vendor.AuthenticationError,
    vendor.AuthenticationWrongNumberOfArgsError,
    vendor.AuthorizationError,
    vendor.NoPermissionError,
)
_WORD_OF_CLASS = {
    vendor.BusyLoadingError: "LOADING",
    vendor.ClusterDownError: "CLUSTERDOWN",
    vendor.MasterDownError: "MASTERDOWN",
    vendor.OutOfMemoryError: "OOM",
    vendor.ReadOnlyError: "READONLY",
    vendor.TryAgainError: "TRYAGAIN",
}


class RedisAddress(Model):
    """Where a Redis or Valkey server is, and how to be let in."""

    host: str = "localhost"
    port: int = Field(default=6379, gt=0, lt=65536)
    database: int = Field(default=0, ge=0)
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = Field(default=False, description="Speak TLS and verify the certificate.")
    max_connections: int = Field(default=20, gt=0, description="Bound on open connections.")


class _Line(Connection):
    """Notices that it was reset while idle; the vendor notices an orderly close only.

    The pool then opens it anew before a command is sent, so that no command is lost on it.
    """

    async def can_read(self) -> bool:
        if self._reader is not None and self._reader.exception() is not None:
            raise vendor.ConnectionError("reset while idle")
        return await super().can_read()


class _TlsLine(SSLConnection, _Line):
    """The same over TLS."""


def build_client(
    address: RedisAddress,
    *,
    timeout_seconds: float,
    connect_timeout_seconds: float,
    is_bounded_outside: bool = False,
) -> Redis:
    """A client that opens nothing yet, waits for a free connection, and never retries by itself.

    A default client blocks for seconds on a refused port, fails at once when its pool is full,
    and repeats commands whose answer was lost, so that one INCR may count four times: nothing
    is left to defaults here. The protocol is RESP2: servers of every age speak it, and it costs
    a new connection no extra round trip.

    Args:
        address: The server.
        timeout_seconds: Bound on the wait for one answer; 0.8 of it on the wait for the pool.
        connect_timeout_seconds: Bound on opening one connection.
        is_bounded_outside: Whoever calls has a deadline of its own around every call; the
            vendor's, which starts a task for each command, is left out.
    """
    secret = address.password.get_secret_value() if address.password else ""
    pool = BlockingConnectionPool(
        connection_class=_TlsLine if address.tls else _Line,
        max_connections=address.max_connections,
        timeout=timeout_seconds * _POOL_WAIT_SHARE,
        host=address.host,
        port=address.port,
        db=address.database,
        username=address.username or None,
        password=secret or None,
        socket_timeout=None if is_bounded_outside else timeout_seconds,
        socket_connect_timeout=connect_timeout_seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        health_check_interval=0,
        protocol=2,
        decode_responses=False,
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis.from_pool(pool)


class RedisComponent(Component):
    """Opens, checks and closes one client; the cache and the connection manager stand on it.

    `settings` is a block that is a `RedisAddress` too and has `timeout_seconds`.
    """

    #: Whether every command of the subclass runs inside a deadline.
    _bounds_every_call: ClassVar[bool] = False
    _client: Redis | None = None

    def pool_stats(self) -> PoolStats:
        """How many connections there are; zeros when not connected."""
        if self._client is None:
            return PoolStats(size=0, in_use=0, limit=0)
        pool = self._client.connection_pool
        in_use = len(pool._in_use_connections)  # noqa: SLF001 - the vendor offers no public count
        idle = sum(line.is_connected for line in pool._available_connections)  # noqa: SLF001 - as above
        return PoolStats(size=in_use + idle, in_use=in_use, limit=pool.max_connections)

    def _live_client(self) -> Redis:
        if self._client is None:
            raise UnavailableError("not connected", where=self.name, hint="Await connect() first.")
        return self._client

    async def _open(self) -> None:
        self._client = build_client(
            self.settings,
            timeout_seconds=self.settings.timeout_seconds,
            connect_timeout_seconds=self.settings.connect_timeout_seconds,
            is_bounded_outside=self._bounds_every_call,
        )
        try:
            await self._ping()
        except BaseException:
            await self._close()
            raise

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ping(self) -> str:
        client = self._live_client()
        async with deadline(self.settings.timeout_seconds, self.name):
            with self._errors():
                await twice_if_cut(lambda: client.execute_command("PING"))  # type: ignore[no-untyped-call]  # the vendor's
        return f"redis at {self.settings.host}:{self.settings.port} answered a PING"

    def _errors(self) -> AbstractContextManager[None]:
        return redis_errors(self.name, self.settings, self.settings.timeout_seconds)


async def twice_if_cut(call: Callable[[], Awaitable[T]]) -> T:
    """Run a command that may be applied twice without harm, once more when its line was dead.

    A line may die between the pool's look at it and the command. Timeouts, refusals and a full
    pool are not retried: the second try would not differ.
    """
    try:
        return await call()
    except vendor.ConnectionError as error:
        if type(error) is not vendor.ConnectionError or _POOL_EXHAUSTED in str(error):
            raise
        return await call()


@contextmanager
def redis_errors(where: str, address: RedisAddress, timeout_seconds: float) -> Iterator[None]:
    """Translate what the vendor raises in the body into our errors.

    Only the server's code word is repeated: its text may quote the arguments of the command.
    """
    try:
        yield
    except (vendor.RedisError, OSError) as error:
        if isinstance(error, (vendor.TimeoutError, TimeoutError)):
            raise DeadlineExceededError(timeout_seconds, where=where) from error
        raise _translated(error, where, f"{address.host}:{address.port}") from error


def _translated(error: Exception, where: str, server: str) -> InfrastructureError:
    if isinstance(error, _REFUSED_LOGIN):
        return AuthenticationError(
            f"redis at {server} refused the credentials, or what they may not do",
            where=where,
            hint="Check username, password and the ACL of that user.",
        )
    if isinstance(error, vendor.InvalidResponse):
        return DataError(f"what answers at {server} is not redis", where=where)
    word = _WORD_OF_CLASS.get(type(error)) or str(error).partition(" ")[0]
    if isinstance(error, vendor.ResponseError) or word in _UNAVAILABLE_WORDS:
        return _refusal(word, where)
    return _no_connection(str(error), where, server)


def _refusal(word: str, where: str) -> InfrastructureError:
    shown = word if word.isupper() and word.isascii() else "ERR"
    if word in _OVERLOADED_WORDS:
        return OverloadedError(
            "redis is out of memory (OOM)", where=where, hint="Raise maxmemory, or evict."
        )
    if word in _UNAVAILABLE_WORDS:
        return UnavailableError(f"redis cannot serve now ({shown})", where=where)
    return RejectedError(f"redis refused the command ({shown})", where=where)


def _no_connection(text: str, where: str, server: str) -> InfrastructureError:
    if _POOL_EXHAUSTED in text:
        return OverloadedError(
            "every connection of the pool was in use for too long",
            where=where,
            hint="Raise max_connections, or make fewer calls at once.",
        )
    if _TOO_MANY_CLIENTS in text:
        return OverloadedError(f"redis at {server} has too many clients", where=where)
    return UnavailableError(
        f"no connection to redis at {server}", where=where, hint="Is the server running?"
    )
