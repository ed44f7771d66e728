"""The proxy misbehaves exactly as asked; tests that use it rest on this."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import FaultProxy

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


@pytest.fixture
async def line(proxy: FaultProxy) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.close()


async def _ask(line: Line, data: bytes = b"0123456789") -> bytes:
    line[1].write(data)
    return await line[0].readexactly(len(data))


async def test_it_forwards_both_ways(line: Line) -> None:
    assert await _ask(line) == b"0123456789"


async def test_a_black_hole_swallows_and_passing_again_delivers(
    proxy: FaultProxy, line: Line
) -> None:
    proxy.black_hole()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_ask(line), 0.05)
    await proxy.passes()
    assert await line[0].readexactly(10) == b"0123456789"


async def test_a_new_connection_into_a_black_hole_is_accepted(proxy: FaultProxy) -> None:
    proxy.black_hole()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_ask((reader, writer)), 0.05)
    writer.close()


async def test_refusing_resets_what_is_open_and_listens_on_the_same_port_again(
    proxy: FaultProxy, line: Line
) -> None:
    await _ask(line)
    await proxy.refuse()
    with pytest.raises(ConnectionResetError):
        await line[0].read()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.passes()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await _ask((reader, writer)) == b"0123456789"
    writer.close()


async def test_a_reset_comes_after_the_bytes_asked_for(proxy: FaultProxy, line: Line) -> None:
    proxy.reset_after(4)
    with pytest.raises(ConnectionResetError):
        await _ask(line)


async def test_half_a_reply_ends_in_order(proxy: FaultProxy, line: Line) -> None:
    proxy.half_reply(4)
    line[1].write(b"0123456789")
    assert await line[0].read() == b"0123"


async def test_a_delay_holds_the_reply_back(proxy: FaultProxy, line: Line) -> None:
    loop = asyncio.get_running_loop()
    proxy.delay(0.05)
    started = loop.time()
    assert await _ask(line) == b"0123456789"
    assert loop.time() - started >= 0.05


async def test_dropping_connections_works_inside_a_black_hole(
    proxy: FaultProxy, line: Line
) -> None:
    await _ask(line)
    proxy.black_hole()
    line[1].write(b"lost")
    await proxy.drop_connections()
    with pytest.raises(ConnectionResetError):
        await line[0].read()
    assert proxy.open_connections == 0
