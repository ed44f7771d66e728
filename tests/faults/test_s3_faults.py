"""The object store behind a network that misbehaves."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import pytest
from loguru import logger

from infrastructure.connections.external.s3 import S3ConnectionManager
from infrastructure.connections.external.s3.settings import MEBIBYTE, S3Settings
from infrastructure.errors import (
    OutcomeUnknownError,
    StreamTruncatedError,
    UnavailableError,
)
from infrastructure.servers.seaweedfs import SeaweedServer
from tests.aws_address import aws_address
from tests.contracts.connection_faults import DEADLINE_SECONDS, ConnectionFaults
from tests.faults.proxy import FaultProxy
from tests.faults.requests_sent import RequestsSent

BOUNDS = {"timeout_seconds": DEADLINE_SECONDS, "connect_timeout_seconds": DEADLINE_SECONDS}
PART_BYTES = 5 * MEBIBYTE


@pytest.fixture(scope="module", autouse=True)
def descriptions_read(seaweed: SeaweedServer) -> None:
    """The driver reads its service's from files once a process, which is not the network's time."""
    asyncio.run(_opened(S3Settings.model_validate(aws_address(seaweed))))


async def _opened(settings: S3Settings) -> None:
    async with S3ConnectionManager(settings):
        pass


@pytest.fixture
async def proxy(seaweed: SeaweedServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", urlsplit(seaweed.url).port or 0) as proxy:
        yield proxy


def through(proxy: FaultProxy, server: SeaweedServer, **changed: Any) -> S3ConnectionManager:
    found = aws_address(server, port=proxy.port, **changed)
    return S3ConnectionManager(S3Settings.model_validate(found), name="external.instances.files")


@pytest.fixture
async def manager(seaweed: SeaweedServer, proxy: FaultProxy) -> AsyncIterator[S3ConnectionManager]:
    manager = through(proxy, seaweed, **BOUNDS)
    yield manager
    await proxy.passes()
    await manager.disconnect()


@pytest.fixture(scope="module")
def long(seaweed: SeaweedServer) -> bytes:
    """What `long` has: more than lies in the buffers on its way."""
    data = os.urandom(MEBIBYTE) * 8

    async def put() -> None:
        async with S3ConnectionManager(S3Settings.model_validate(aws_address(seaweed))) as direct:
            await direct.put("long", data)

    asyncio.run(put())
    return data


class TestS3(ConnectionFaults):
    async def ask(self, manager: S3ConnectionManager) -> Any:
        return [info.key async for info in manager.list("ready")]

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"secret_access_key": "not-this-one"}


async def test_what_is_safe_to_repeat_is_repeated_on_another_connection(
    manager: S3ConnectionManager, proxy: FaultProxy
):
    await manager.put("worn", b"1")
    sent = RequestsSent(manager, "s3.PutObject")
    proxy.half_reply(0)
    writing = asyncio.create_task(manager.put("worn", b"2"))
    await sent.reach(2)
    await proxy.passes()
    await writing
    assert sent.count == 2
    assert await manager.get("worn") == b"2"


async def test_a_conditional_write_without_an_answer_may_have_been_done(
    manager: S3ConnectionManager, proxy: FaultProxy
):
    await manager.delete("once")
    proxy.reset_after(0)
    with pytest.raises(OutcomeUnknownError, match="'once' was sent"):
        await manager.put("once", b"1", if_absent=True)
    await proxy.passes()
    assert await manager.get("once") == b"1"


async def test_a_conditional_write_that_was_not_sent_was_not_done(
    manager: S3ConnectionManager, proxy: FaultProxy
):
    await manager.ping()
    await proxy.refuse()
    with pytest.raises(UnavailableError):
        await manager.put("never", b"1", if_absent=True)


async def test_a_stream_that_breaks_off_says_so_and_goes_on_from_there(
    manager: S3ConnectionManager, proxy: FaultProxy, long: bytes
):
    got = b""
    with pytest.raises((StreamTruncatedError, UnavailableError)):  # closed in order, or reset
        async for piece in manager.stream("long"):
            got += piece
            proxy.half_reply(1000)
    await proxy.passes()
    assert 0 < len(got) < len(long)
    got += b"".join([piece async for piece in manager.stream("long", first_byte=len(got))])
    assert got == long


async def test_streams_through_an_outage_log_its_beginning_once(
    manager: S3ConnectionManager, proxy: FaultProxy
):
    await manager.ping()
    await proxy.refuse()
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="INFO")
    try:
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await anext(manager.stream("long"))
    finally:
        logger.remove(sink)
    assert [line.strip() for line in lines] == ["connection down"]


async def test_closing_that_waits_no_longer_ends_a_stream_and_a_call_with_our_errors(
    seaweed: SeaweedServer, proxy: FaultProxy, long: bytes
):
    shape = {"max_connections": 1, "drain_timeout_seconds": 0.01, "timeout_seconds": 5}
    manager = through(proxy, seaweed, **shape)
    async with aclosing(manager.stream("long")) as pieces:
        await anext(pieces)
        waiting = asyncio.create_task(manager.head("long"))
        await asyncio.sleep(0)
        await manager.disconnect()
        with pytest.raises(StreamTruncatedError):
            assert [piece async for piece in pieces]
    with pytest.raises(UnavailableError, match="closed before it could ask"):
        await waiting


async def test_a_stream_that_stalls_ends_at_the_deadline(
    manager: S3ConnectionManager, proxy: FaultProxy, long: bytes
):
    with pytest.raises(UnavailableError, match=r"no answer within 0\.5 s"):
        async for _ in manager.stream("long"):
            proxy.black_hole()
    assert manager.pool_stats().in_use == 0


async def test_an_upload_cut_in_the_middle_goes_on_with_the_missing_part_alone(
    seaweed: SeaweedServer, proxy: FaultProxy
):
    data = os.urandom(2 * PART_BYTES + 1000)
    shape = {"part_bytes": PART_BYTES, "parallel_parts": 1, "part_attempts": 1}
    async with through(proxy, seaweed, timeout_seconds=5, **shape) as manager:
        upload_id = await manager.begin_upload("cut")

        async def pieces() -> AsyncIterator[bytes]:
            yield data[: 2 * PART_BYTES]
            await proxy.refuse()
            yield data[2 * PART_BYTES :]

        with pytest.raises(UnavailableError):
            await manager.continue_upload("cut", upload_id, pieces())
        await proxy.passes()
        sent = RequestsSent(manager, "s3.UploadPart")
        await manager.continue_upload("cut", upload_id, data)
        assert sent.count == 1
        assert await manager.get("cut") == data


async def test_a_part_is_tried_again_when_its_connection_is_cut(
    seaweed: SeaweedServer, proxy: FaultProxy
):
    data = os.urandom(2 * PART_BYTES)
    async with through(proxy, seaweed, part_bytes=PART_BYTES) as manager:
        sent = RequestsSent(manager, "s3.UploadPart")

        async def pieces() -> AsyncIterator[bytes]:
            yield data
            proxy.reset_after(0)
            await sent.reach(3)  # of two parts
            await proxy.passes()

        await manager.put("tried", pieces())
        assert await manager.get("tried") == data
