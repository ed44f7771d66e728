"""What is sent in parts, on SeaweedFS."""

import asyncio
import fcntl
import gc
import os
import select
import struct
import termios
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from infrastructure.connections.external.s3 import S3ConnectionManager
from infrastructure.connections.external.s3.settings import MEBIBYTE
from infrastructure.connections.external.s3.sources import Source
from infrastructure.errors import ConflictError, NotFoundError
from infrastructure.servers.seaweedfs import SeaweedServer
from tests.infrastructure.connections.external.test_s3 import made

pytestmark = pytest.mark.asyncio(loop_scope="module")
PART_BYTES = 5 * MEBIBYTE
DATA = os.urandom(PART_BYTES + 1000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connected(seaweed: SeaweedServer) -> AsyncIterator[S3ConnectionManager]:
    async with made(seaweed, part_bytes=PART_BYTES, parallel_parts=2) as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="module")
async def store(connected: S3ConnectionManager) -> AsyncIterator[S3ConnectionManager]:
    """Nothing that was begun is left behind by any test."""
    yield connected
    assert await connected.abort_uploads(0) == 0


async def pieces(data: bytes, length: int = 300_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), length):
        yield data[at : at + length]


@pytest.mark.parametrize("kind", ["bytes", "file", "pieces"])
async def test_what_is_long_goes_in_parts_wherever_it_comes_from(
    store: S3ConnectionManager, kind: str, tmp_path: Path
):
    file = tmp_path / "data"
    file.write_bytes(DATA)
    sources: dict[str, Source] = {"bytes": DATA, "file": file, "pieces": pieces(DATA)}
    info = await store.put("long", sources[kind], content_type="video/mp4", metadata={"who": "ä"})
    found, data = await store.get_with_info("long")
    assert data == DATA
    assert info.etag.endswith("-2")
    assert (found.etag, found.content_type, found.metadata) == (
        info.etag,
        "video/mp4",
        {"who": "ä"},
    )
    assert (info.size_bytes, info.content_type, info.metadata) == (
        len(DATA),
        "video/mp4",
        {"who": "ä"},
    )


@pytest.mark.parametrize("kind", ["file", "pieces"])
async def test_what_is_small_goes_at_once_wherever_it_comes_from(
    store: S3ConnectionManager, kind: str, tmp_path: Path
):
    file = tmp_path / "data"
    file.write_bytes(b"small")
    sources: dict[str, Source] = {"file": file, "pieces": pieces(b"small", 2)}
    info = await store.put("small", sources[kind])
    assert "-" not in info.etag
    assert await store.get("small") == b"small"


async def test_a_file_that_is_not_there_is_the_systems_error(store: S3ConnectionManager):
    with pytest.raises(FileNotFoundError):
        await store.put("long", Path("/nowhere/at/all"))


async def test_a_file_that_opens_after_its_put_was_cancelled_is_closed(
    store: S3ConnectionManager, tmp_path: Path
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    putting = asyncio.create_task(store.put("late", pipe))
    while (writer := _open_to_write(pipe)) is None:  # noqa: ASYNC110 - only the system knows
        await asyncio.sleep(0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    poll = select.poll()
    poll.register(writer, 0)
    assert await asyncio.to_thread(poll.poll, 5000) == [(writer, select.POLLERR)]  # no reader
    os.close(writer)
    gc.collect()


async def test_a_file_is_closed_when_nobody_reads_it_any_more(
    store: S3ConnectionManager, tmp_path: Path
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    putting = asyncio.create_task(store.put("read", pipe))
    while (writer := _open_to_write(pipe)) is None:  # noqa: ASYNC110 - only the system knows
        await asyncio.sleep(0)
    os.write(writer, b"begun")
    while _waiting(writer):  # noqa: ASYNC110 - likewise
        await asyncio.sleep(0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    for _ in range(10):
        await asyncio.sleep(0)
    numbers = _numbers(pipe)
    os.close(writer)
    assert len(numbers) == 2  # a thread waited for the rest of a part: not yet another file's
    async with asyncio.timeout(5):
        while _numbers(pipe):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0)


def _numbers(file: Path) -> list[int]:
    """Under which it is open in this process."""
    own, found = file.stat(), []
    for number in range(1024):
        with suppress(OSError):
            found += [number] if os.path.samestat(os.fstat(number), own) else []
    return found


def _waiting(pipe: int) -> int:
    """How many bytes nobody has read yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(count)


def _open_to_write(pipe: Path) -> int | None:
    """None while nobody opens it to read."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


async def test_conditions_count_for_what_goes_in_parts_and_nothing_stays(
    store: S3ConnectionManager,
):
    await store.put("taken", b"first")
    with pytest.raises(ConflictError):
        await store.put("taken", DATA, if_absent=True)
    assert await store.get("taken") == b"first"
    assert [upload async for upload in store.list_uploads()] == []


async def test_a_source_that_breaks_leaves_no_parts(store: S3ConnectionManager):
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await store.put("broken", broken())
    assert [upload async for upload in store.list_uploads()] == []


async def test_a_put_that_is_cancelled_leaves_no_parts(store: S3ConnectionManager):
    is_under_way = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield DATA
        yield DATA
        is_under_way.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(store.put("cancelled", endless()))
    await is_under_way.wait()
    assert [upload.key async for upload in store.list_uploads()] == ["cancelled"]
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert [upload async for upload in store.list_uploads()] == []


async def test_an_upload_goes_on_with_what_is_missing(store: S3ConnectionManager):
    upload_id = await store.begin_upload("resumed", metadata={"who": "ä"})
    with pytest.raises(OSError, match="gone"):
        await store.continue_upload("resumed", upload_id, _cut(DATA, PART_BYTES))
    before = await _parts(store, upload_id)
    assert set(before) == {1}
    info = await store.continue_upload("resumed", upload_id, DATA)
    assert await store.get("resumed") == DATA
    assert (await store.head("resumed")).metadata == {"who": "ä"}
    assert info.size_bytes == len(DATA)


async def test_a_part_that_is_another_by_now_is_sent_again(store: S3ConnectionManager):
    upload_id = await store.begin_upload("changed")
    with pytest.raises(OSError, match="gone"):
        await store.continue_upload("changed", upload_id, _cut(bytes(len(DATA)), PART_BYTES))
    await store.continue_upload("changed", upload_id, DATA)
    assert await store.get("changed") == DATA


async def test_parts_keep_the_length_the_upload_began_with(
    store: S3ConnectionManager, seaweed: SeaweedServer
):
    upload_id = await store.begin_upload("lengths")
    with pytest.raises(OSError, match="gone"):
        await store.continue_upload("lengths", upload_id, _cut(DATA, PART_BYTES))
    async with made(seaweed, part_bytes=2 * PART_BYTES) as other:
        info = await other.continue_upload("lengths", upload_id, DATA)
    assert info.etag.endswith("-2")


async def test_forgotten_uploads_are_listed_page_by_page_and_aborted(
    store: S3ConnectionManager, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("infrastructure.connections.external.s3.uploading._PAGE", 2)
    keys = [f"left/{number}" for number in range(5)]
    ids = [await store.begin_upload(key) for key in (*keys, "right")]
    found = [upload async for upload in store.list_uploads("left/")]
    assert sorted((upload.key, upload.upload_id) for upload in found) == list(
        zip(keys, ids[:5], strict=True)
    )
    assert await store.abort_uploads(3600) == 0
    assert await store.abort_uploads(0, "left/") == 5
    await store.abort_upload("right", ids[5])
    with pytest.raises(NotFoundError):
        await store.continue_upload("right", ids[5], b"x")


async def test_a_long_stream_needs_little_memory(store: S3ConnectionManager):
    """36 MiB up and down with 2 parts of 5 MiB at a time; the benchmark does it with 1 GiB."""

    async def many() -> AsyncIterator[bytes]:
        for _ in range(36):
            yield bytes(MEBIBYTE)

    tracemalloc.start()
    try:
        await store.put("memory", many())
        length = sum([len(piece) async for piece in store.stream("memory")])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length == 36 * MEBIBYTE
    assert peak < 6 * PART_BYTES


async def _parts(store: S3ConnectionManager, upload_id: str) -> set[int]:
    return {part.number async for part in store._parts("resumed", upload_id)}


async def _cut(data: bytes, at: int) -> AsyncIterator[bytes]:
    yield data[:at]
    raise OSError("gone")
