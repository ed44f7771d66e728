import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from redis import exceptions as vendor
from redis.asyncio import BlockingConnectionPool, SSLConnection

from infrastructure.connections.redis_client import (
    RedisAddress,
    build_client,
    redis_errors,
    twice_if_cut,
)
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

ADDRESS = RedisAddress(host="cache.test", port=7000, password=SecretStr("correct horse"))


async def test_nothing_is_left_to_the_vendors_defaults() -> None:
    client = build_client(ADDRESS, timeout_seconds=0.5, connect_timeout_seconds=2)
    pool = client.connection_pool
    assert isinstance(pool, BlockingConnectionPool)
    line = pool.make_connection()  # type: ignore[no-untyped-call]  # the vendor's
    assert (pool.timeout, pool.max_connections) == (0.4, 20)
    assert (line.retry.get_retries(), line.retry_on_error) == (0, [])
    assert (line.socket_timeout, line.socket_connect_timeout, line.protocol) == (0.5, 2, 2)
    assert (line.driver_info, line.maint_notifications_config) == (None, None)
    await client.aclose()


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


class Calls:
    """Fails with the errors given, one a call, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.count = 0

    async def __call__(self) -> Any:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


async def test_a_dead_line_is_tried_a_second_time() -> None:
    calls = Calls(vendor.ConnectionError("Connection closed by server."))
    assert await twice_if_cut(calls) == "answer"


async def test_there_is_no_third_time() -> None:
    calls = Calls(*(vendor.ConnectionError("Connection closed by server.") for _ in range(3)))
    with pytest.raises(vendor.ConnectionError):
        await twice_if_cut(calls)
    assert calls.count == 2


@pytest.mark.parametrize(
    "error",
    [
        vendor.TimeoutError("Timeout reading from socket"),
        vendor.ConnectionError("No connection available."),
        vendor.AuthenticationError("invalid username-password pair"),
        vendor.BusyLoadingError("loading"),
        vendor.ResponseError("WRONGTYPE"),
    ],
    ids=repr,
)
async def test_what_a_second_try_would_not_change_is_not_tried_again(error: Exception) -> None:
    calls = Calls(error)
    with pytest.raises(type(error)):
        await twice_if_cut(calls)
    assert calls.count == 1
