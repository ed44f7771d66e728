"""Bodies on their way in: bounded, unpacked piece by piece, whole or not at all."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from io import BufferedReader
from pathlib import Path

import httpx
import pytest

from infrastructure.connections.external.http import HttpConnectionManager, HttpResponse, Upload
from infrastructure.connections.external.http.bodies import whole_body
from infrastructure.errors import (
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    UnavailableError,
    UnsupportedError,
)
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    answer,
    client_of,
)

MEGABYTE = 1_000_000
BOMB_BYTES = 30 * MEGABYTE
BOMB = gzip.compress(bytes(BOMB_BYTES))


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(lambda _: answer()) as server:
        yield server


@pytest.fixture
async def client(server: RawServer) -> AsyncIterator[HttpConnectionManager]:
    async with client_of(server.url, max_response_bytes=MEGABYTE, max_attempts=1) as client:
        yield client


async def body_of(client: HttpConnectionManager) -> bytes:
    return (await client.request("GET", "x")).body


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_a_packed_answer_is_unpacked(server, client):
    server.answer = lambda seen: answer(
        gzip.compress(b"one") + gzip.compress(b"two"),
        content_encoding=seen.headers["accept-encoding"],
    )
    assert await body_of(client) == b"onetwo"


async def test_an_answer_of_just_the_bound_is_read(server, client):
    server.answer = lambda _: answer(bytes(MEGABYTE))
    assert len(await body_of(client)) == MEGABYTE


async def test_a_longer_one_is_not_read_where_it_says_so(server, client):
    server.answer = lambda _: answer()[:-2].replace(b"length: 0", b"length: 1000001") + b"\r\n"
    with pytest.raises(DataError, match="longer than 1000000 bytes"):
        await body_of(client)


async def test_nor_where_it_does_not(server, client):
    chunk = b"186a0\r\n" + bytes(100_000) + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    server.answer = lambda _: head + 11 * chunk + b"0\r\n\r\n"
    with pytest.raises(DataError, match="longer"):
        await body_of(client)


async def test_a_bomb_of_gzip_is_stopped_before_it_is_unpacked(server, client):
    assert len(BOMB) < MEGABYTE
    server.answer = lambda _: answer(BOMB, content_encoding="gzip")
    await client.connect()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="longer"):
            await body_of(client)
        assert tracemalloc.get_traced_memory()[1] < 5 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_a_packing_that_was_not_asked_for_is_refused(server, client, encoding):
    server.answer = lambda _: answer(b"x", content_encoding=encoding)
    with pytest.raises(DataError, match=f"packed by '{encoding}'"):
        await body_of(client)


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(bytes(1000))[:-9]], ids=["none", "cut"])
async def test_what_is_no_whole_gzip_is_refused(server, client, body):
    server.answer = lambda _: answer(body, content_encoding="gzip")
    with pytest.raises(DataError):
        await body_of(client)


async def test_a_post_whose_packed_answer_is_cut_is_in_doubt_and_not_made_again(server):
    body = gzip.compress(bytes(1000))[:-9]
    server.answer = lambda _: answer(body, content_encoding="gzip")
    async with client_of(server.url) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", "x")
    assert len(server.seen) == 1


async def test_a_body_that_stops_short_is_no_answer(server):
    server.answer = lambda _: answer(b"whole")[:-2]
    async with client_of(server.url, max_attempts=1, timeout_seconds=0.1) as client:
        with pytest.raises(UnavailableError):
            await body_of(client)


async def test_a_download_comes_in_pieces_however_much_it_is(server, client):
    server.answer = lambda _: answer(BOMB, content_encoding="gzip")
    longest = total = 0
    async for piece in client.download("x"):
        longest, total = max(longest, len(piece)), total + len(piece)
    assert total == BOMB_BYTES
    assert longest <= 65_536


async def test_a_download_has_a_bound_of_its_own(server, client):
    server.answer = lambda _: answer(bytes(2000))
    with pytest.raises(DataError, match="longer than 1000 bytes"):
        async for _ in client.download("x", max_bytes=1000):
            pass


async def test_a_download_left_early_frees_its_connection(server, client):
    server.answer = lambda _: answer(bytes(MEGABYTE))
    pieces = client.download("x")
    async for _ in pieces:
        break
    await pieces.aclose()
    assert client.pool_stats().in_use == 0
    assert client.drain.in_flight == 0


async def test_a_downloaded_file_appears_when_it_is_whole(server, client, tmp_path: Path):
    server.answer = lambda _: answer(b"content")
    file = tmp_path / "report.pdf"
    assert await client.download_to("x", file) == 7
    assert file.read_bytes() == b"content"
    assert names_in(tmp_path) == [file.name]


@pytest.mark.parametrize(
    "ended", [b"", answer(b"no", 404), answer(b"con" * 9)[:-3]], ids=["silent", "refused", "cut"]
)
async def test_a_download_that_fails_leaves_the_old_file(server, tmp_path: Path, ended):
    server.answer = lambda _: ended
    file = tmp_path / "report.pdf"
    file.write_bytes(b"old")
    async with client_of(server.url, max_attempts=1, timeout_seconds=0.1) as client:
        with pytest.raises(InfrastructureError):
            await client.download_to("x", file)
    assert file.read_bytes() == b"old"
    assert names_in(tmp_path) == [file.name]


async def test_a_download_that_is_refused_says_so_at_once(server, client):
    server.answer = lambda _: answer(b"", 404)
    with pytest.raises(NotFoundError):
        await anext(client.download("x"))


async def test_a_file_is_sent_from_disk_as_a_part_of_a_form(server, client, tmp_path: Path):
    file = tmp_path / 'a"b\n.txt'
    file.write_bytes(bytes(300_000))
    await client.upload("x", Upload(file), field="doc", fields={"note": "näh"})
    (seen,) = server.seen
    boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
    note, doc = seen.body.split(b"--" + boundary)[1:3]
    assert note == '\r\nContent-Disposition: form-data; name="note"\r\n\r\nnäh\r\n'.encode()
    head, _, content = doc.partition(b"\r\n\r\n")
    assert b'name="doc"; filename="a%22b%0A.txt"\r\nContent-Type: text/plain' in head
    assert content == bytes(300_000) + b"\r\n"
    assert seen.body.endswith(b"--" + boundary + b"--\r\n")


async def test_an_upload_refused_for_now_is_sent_whole_again(server, tmp_path: Path):
    answers = [answer(status=429, retry_after="0"), answer()]
    server.answer = lambda _: answers.pop(0)
    async with client_of(server.url) as client:
        await client.upload("x", Upload(b"data", "a.bin"))
    assert len({seen.body for seen in server.seen}) == 1
    assert len(server.seen) == 2


@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "unicode_escape", "zlib"])
def test_a_codec_of_python_is_no_charset(charset):
    """The one of punycode takes seconds for 200 kB, and minutes for more."""
    body = b"a-" + bytes(range(128)) * 1600
    headers = httpx.Headers({"content-type": f"text/plain; charset={charset}"})
    assert HttpResponse(200, headers, body, "x").text == body.decode()


def test_a_charset_is_read_by_its_name():
    for name, body in (
        ("ISO-8859-1", b"n\xe4h"),
        ('"windows-1252"', b"n\xe4h"),
        ("", b"n\xc3\xa4h"),
    ):
        headers = httpx.Headers({"content-type": f"text/plain; charset={name}; x=y"})
        assert HttpResponse(200, headers, body, "x").text == "näh"


async def test_a_body_in_tiny_pieces_takes_no_more_memory_than_its_length():
    pieces = [number.to_bytes(2, "big") for number in range(10_000)]

    async def tiny() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield bytes(bytearray(piece))  # made anew, as from a socket

    response = httpx.Response(200, content=tiny())
    tracemalloc.start()
    try:
        body = await whole_body(response, max_bytes=MEGABYTE, where="x")
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    finally:
        tracemalloc.stop()
    assert body == b"".join(pieces)


async def test_a_body_that_drips_ends_at_the_deadline_of_the_call(server):
    """Each wait for a piece is short; it is their sum that is bounded."""
    loop = asyncio.get_running_loop()

    def drip(writer: asyncio.StreamWriter) -> None:
        if not writer.is_closing():
            writer.write(b"1\r\nx\r\n")
            loop.call_later(0.01, drip, writer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        drip(writer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as dripping:
        port = dripping.sockets[0].getsockname()[1]
        async with client_of(f"http://127.0.0.1:{port}", timeout_seconds=0.1) as client:
            with pytest.raises(DeadlineExceededError):
                await body_of(client)
            assert client.pool_stats().in_use == 0


async def test_a_download_cancelled_while_it_waits_gives_its_connection_back(server):
    server.answer = lambda _: answer(b"whole")[:-2]
    async with client_of(server.url, max_connections=1) as client:
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in client.download("x"):
                begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        await asyncio.wait((task,))
        assert (client.pool_stats().in_use, client.drain.in_flight) == (0, 0)
        server.answer = lambda _: answer(b"next")
        assert await body_of(client) == b"next"


async def test_an_upload_that_is_cut_leaves_its_file_closed(tmp_path: Path):
    held: list[BufferedReader] = []

    class Watched(type(tmp_path)):  # type: ignore[misc]  # the class of paths on this machine
        def open(self, mode: str) -> BufferedReader:
            held.append(super().open(mode))
            return held[-1]

    async def read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    ended, file = asyncio.Event(), tmp_path / "big"
    file.write_bytes(bytes(10 * MEGABYTE))
    async with await asyncio.start_server(read_nothing, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client_of(url, timeout_seconds=0.1) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.upload("x", Upload(Watched(file)))
            ended.set()
    assert [each.closed for each in held] == [True]


@pytest.mark.parametrize("content_type", ["text/plain\r\nX-Evil: 1", "näh"])
async def test_a_type_of_several_lines_is_no_type(server, client, content_type):
    with pytest.raises(UnsupportedError, match="content type"):
        await client.upload("x", Upload(b"data", "a.bin", content_type))
    assert server.seen == []


@pytest.mark.parametrize("found", [b"longer than it was", b"s"])
async def test_a_file_that_changes_while_it_is_sent_is_told(server, client, tmp_path: Path, found):
    class Changing(Upload):
        async def size(self) -> int:
            return len(b"as it was")

    file = tmp_path / "growing.log"
    file.write_bytes(found)
    with pytest.raises(DataError, match="changed while it was sent"):
        await client.upload("x", Changing(file))
    assert client.pool_stats().in_use == 0
