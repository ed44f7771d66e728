"""The vendor's own client for one server, and how it reads answers."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry

from infrastructure.connections.redis_address import RedisAddress
from infrastructure.connections.redis_line import line_kind, login, no_retry
from infrastructure.connections.redis_topology import POOL_WAIT_SHARE
from infrastructure.errors import ConfigurationError


def build_client(
    address: RedisAddress,
    *,
    timeout_seconds: float,
    connect_timeout_seconds: float,
    retry: Retry | None = None,
    where: str = "",
) -> Redis:
    """The vendor's client for one server: it waits for a free connection and opens nothing yet.

    A default client blocks for seconds on a refused port, fails at once when its pool is full,
    and repeats commands whose answer was lost. This one does none of it.

    Args:
        address: The server; neither a cluster nor sentinels.
        timeout_seconds: Bound on the wait for one answer; 0.8 of it on the wait for the pool.
        connect_timeout_seconds: Bound on opening one connection.
        retry: The vendor's, for commands that may all be applied twice; none by default.
        where: The provider path for errors.

    Raises:
        ConfigurationError: `retry` is the one for the vendor's sync client, which the async
            client takes and never asks; the address is not of one server; or `tls_ca_file`
            cannot be used.
    """
    if retry is not None and not isinstance(retry, Retry):
        raise ConfigurationError(
            f"an async redis client cannot use a {type(retry).__module__}.{type(retry).__name__}",
            where=where,
            hint="Give it a redis.asyncio.retry.Retry.",
        )
    if address.is_cluster or address.sentinels:
        raise ConfigurationError(
            "the vendor's client is for one server", where=where, hint="Use execute()."
        )
    kind, choices = line_kind(address, where)
    pool = BlockingConnectionPool(
        connection_class=kind,
        max_connections=address.max_connections,
        timeout=timeout_seconds * POOL_WAIT_SHARE,
        host=address.host,
        port=address.port,
        db=address.database,
        client_name=address.client_name or None,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=connect_timeout_seconds,
        retry=no_retry() if retry is None else retry,
        **login(address),
        **choices,
    )
    return Redis.from_pool(pool)


def answer_of(command: Sequence[Any], raw: Any) -> Any:
    """The answer as the vendor's client gives it: a hash as a dict, OK as True.

    Where its reader would have to be told more than the command says, such as that XPENDING was
    asked for details, the answer is given as it came: the command was run, and is no failure.
    """
    read = _readers().get(str(command[0]).upper())
    if read is None:
        return raw
    try:
        return read(raw)
    except (AttributeError, LookupError, TypeError, ValueError):
        return raw


@cache
def _readers() -> Any:
    return Redis(protocol=2).response_callbacks
