import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from redis import exceptions as vendor
from redis.asyncio import BlockingConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.retry import Retry as SyncRetry

from infrastructure.connections.redis_address import Endpoint, RedisAddress
from infrastructure.connections.redis_client import build_client
from infrastructure.connections.redis_errors import redis_errors
from infrastructure.connections.redis_line import LineMaker
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

ADDRESS = RedisAddress(host="cache.test", port=7000, password=SecretStr("correct horse"))


async def test_nothing_is_left_to_the_vendors_defaults() -> None:
    """Row 3: the vendor's defaults differ by constructor."""
    client = build_client(ADDRESS, timeout_seconds=0.5, connect_timeout_seconds=2)
    pool = client.connection_pool
    assert isinstance(pool, BlockingConnectionPool)
    line = pool.make_connection()  # type: ignore[no-untyped-call]  # the vendor's
    assert (pool.timeout, pool.max_connections) == (0.4, 20)
    assert (line.retry.get_retries(), line.retry_on_error) == (0, [])
    assert (line.socket_timeout, line.socket_connect_timeout, line.protocol) == (0.5, 2, 2)
    assert (line.driver_info, line.maint_notifications_config) == (None, None)
    await client.aclose()


async def test_nor_on_the_lines_of_our_own_pools() -> None:
    """Row 3."""
    maker = LineMaker(ADDRESS, connect_timeout_seconds=2)
    line = maker._line(Endpoint("cache.test", 7000), maker._login())
    assert (line.retry.get_retries(), line.retry_on_error, line.health_check_interval) == (0, [], 0)
    assert (line.socket_timeout, line.socket_connect_timeout, line.protocol) == (None, 2, 2)
    assert line.driver_info is None
    assert getattr(line.maint_notifications_config, "enabled", None) is False
    assert (line.password, line.client_name) == ("correct horse", "switchgear")


async def test_tls_is_a_setting() -> None:
    address = ADDRESS.model_copy(update={"tls": True})
    client = build_client(address, timeout_seconds=1, connect_timeout_seconds=1)
    assert client.connection_pool.connection_class.__mro__[1] is SSLConnection
    await client.aclose()


def test_the_password_is_in_no_representation() -> None:
    client = build_client(ADDRESS, timeout_seconds=1, connect_timeout_seconds=1)
    assert "correct horse" not in f"{ADDRESS!r} {ADDRESS} {client!r} {client.connection_pool!r}"


@pytest.mark.parametrize("empty", [None, ""])
async def test_an_empty_password_is_no_password(empty: str | None) -> None:
    address = RedisAddress.model_validate({"password": empty, "username": empty})
    client = build_client(address, timeout_seconds=1, connect_timeout_seconds=1)
    line = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # the vendor's
    assert (line.username, line.password) == (None, None)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (vendor.TimeoutError("Timeout reading from socket"), DeadlineExceededError),
        (TimeoutError(), DeadlineExceededError),
        (vendor.ConnectionError("Connection reset by peer"), UnavailableError),
        (ConnectionResetError(), UnavailableError),
        (vendor.BusyLoadingError("Redis is loading the dataset"), UnavailableError),
        (vendor.ReadOnlyError("You can't write against a replica"), UnavailableError),
        (vendor.ClusterDownError("The cluster is down"), UnavailableError),
        (vendor.ResponseError("BUSY Redis is busy running a script"), UnavailableError),
        (vendor.ConnectionError("No connection available."), OverloadedError),
        (vendor.ConnectionError("max number of clients reached"), OverloadedError),
        (vendor.OutOfMemoryError("command not allowed"), OverloadedError),
        (vendor.AuthenticationError("invalid username-password pair"), AuthenticationError),
        (vendor.AuthenticationError("Authentication required."), AuthenticationError),
        (vendor.NoPermissionError("no permissions to run"), AuthenticationError),
        (vendor.ResponseError("WRONGTYPE Operation against a key"), RejectedError),
        (vendor.ResponseError("unknown command 'SECRET'"), RejectedError),
        (vendor.InvalidResponse("Protocol error"), DataError),
        (vendor.DataError("Invalid input of type: 'object'"), UnsupportedError),
        (vendor.MovedError("1 127.0.0.1:7000"), UnavailableError),
        (vendor.MasterDownError("Link with MASTER is down"), UnavailableError),
        (
            vendor.ResponseError("Error running script (call to f_1): @user_script:1: -OOM no"),
            OverloadedError,
        ),
        (RuntimeError("Event loop is closed"), UnavailableError),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no text"), UnsupportedError),
    ],
    ids=repr,
)
def test_each_vendor_error_becomes_one_of_ours(
    raised: Exception, expected: type[InfrastructureError]
) -> None:
    with pytest.raises(expected) as caught, redis_errors("cache.default", ADDRESS, 0.25):
        raise raised
    assert type(caught.value) is expected
    assert caught.value.where == "cache.default"
    assert caught.value.__cause__ is raised


def test_the_servers_text_is_not_repeated() -> None:
    text = "unknown command 'SAT', with args beginning with: 'key' 'secret value'"
    with pytest.raises(RejectedError) as caught, redis_errors("x", ADDRESS, 1):
        raise vendor.ResponseError(text)
    assert "secret" not in str(caught.value)


def test_what_is_not_the_vendors_passes() -> None:
    with pytest.raises(asyncio.CancelledError), redis_errors("x", ADDRESS, 1):
        raise asyncio.CancelledError


def test_what_belongs_to_a_loop_that_ended_is_unavailable() -> None:
    """Row 12: the vendor lets a bare RuntimeError through."""
    with pytest.raises(UnavailableError, match="event loop"), redis_errors("x", ADDRESS, 1):
        raise RuntimeError("Event loop is closed")


def test_a_runtime_error_of_another_origin_passes() -> None:
    with pytest.raises(RuntimeError, match="ours") as told, redis_errors("x", ADDRESS, 1):
        raise RuntimeError("ours")
    assert told.value.__cause__ is None


def test_a_retry_for_the_sync_client_is_refused() -> None:
    """Row 24: the vendor's async client takes it and never asks it."""
    retry: Any = SyncRetry(NoBackoff(), 3)
    with pytest.raises(ConfigurationError, match=r"redis\.asyncio\.retry"):
        build_client(ADDRESS, timeout_seconds=1, connect_timeout_seconds=1, retry=retry)


async def test_a_retry_for_the_async_client_is_used() -> None:
    retry = Retry(NoBackoff(), 3)
    client = build_client(ADDRESS, timeout_seconds=1, connect_timeout_seconds=1, retry=retry)
    line = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # the vendor's
    assert line.retry.get_retries() == 3


@pytest.mark.parametrize("wrong", [{"nodes": ["a:1"]}, {"sentinels": ["a:1"]}])
def test_the_vendors_client_is_for_one_server(wrong: dict[str, Any]) -> None:
    address = RedisAddress.model_validate(wrong)
    with pytest.raises(ConfigurationError, match=r"^db\.x: .*one server"):
        build_client(address, timeout_seconds=1, connect_timeout_seconds=1, where="db.x")
