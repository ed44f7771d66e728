"""Objects of the store: written, read, listed, copied, deleted, on SeaweedFS."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from infrastructure.connections.external.s3 import ObjectInfo, S3ConnectionManager
from infrastructure.errors import ConflictError, NotFoundError, RejectedError
from infrastructure.servers.seaweedfs import SeaweedServer
from tests.infrastructure.connections.external.test_s3 import made

pytestmark = pytest.mark.asyncio(loop_scope="module")
#: With more at a time, SeaweedFS makes the losers wait for whole seconds.
WRITERS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(seaweed: SeaweedServer) -> AsyncIterator[S3ConnectionManager]:
    async with made(seaweed) as store:
        yield store


async def test_what_was_put_is_got_with_all_that_was_said_of_it(store: S3ConnectionManager):
    metadata = {"author": "Stanisław Lem", "empty": "", "look": "=?UTF-8?B?eA==?=", "plain": "a b"}
    put = await store.put(
        "bücher/ä b.txt", b"Solaris", content_type="text/plain", metadata=metadata
    )
    found, data = await store.get_with_info("bücher/ä b.txt")
    assert data == b"Solaris"
    assert (found.size_bytes, found.content_type, found.metadata) == (7, "text/plain", metadata)
    assert (put.etag, put.size_bytes, put.metadata) == (found.etag, 7, metadata)
    assert found == await store.head("bücher/ä b.txt")
    assert str(found.modified_at).endswith("+00:00")


async def test_an_empty_object_is_an_object(store: S3ConnectionManager):
    await store.put("empty", b"")
    assert await store.get("empty") == b""


async def test_a_range_is_its_bytes_and_the_size_that_of_the_whole(store: S3ConnectionManager):
    await store.put("range", b"0123456789")
    found, data = await store.get_with_info("range", first_byte=2, last_byte=4)
    assert (data, found.size_bytes) == (b"234", 10)
    assert await store.get("range", first_byte=7) == b"789"
    assert await store.get("range", last_byte=0) == b"0"


async def test_a_range_that_is_none_is_refused(store: S3ConnectionManager):
    await store.put("range", b"0123456789")
    with pytest.raises(RejectedError, match="InvalidRange"):
        await store.get("range", first_byte=100)
    with pytest.raises(RejectedError, match="found 5 to 4"):
        await store.get("range", first_byte=5, last_byte=4)


async def test_a_stream_gives_all_in_pieces(store: S3ConnectionManager):
    data = bytes(range(256)) * 8192
    await store.put("long", data)
    pieces = [piece async for piece in store.stream("long")]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 256 * 1024
    assert (
        b"".join([piece async for piece in store.stream("long", first_byte=2**20)]) == data[2**20 :]
    )


async def test_closing_waits_for_a_stream(store: S3ConnectionManager):
    await store.put("long", bytes(2**20))
    async with aclosing(store.stream("long")) as pieces:
        length = len(await anext(pieces))
        closing = asyncio.create_task(store.disconnect())
        length += sum([len(piece) async for piece in pieces])
    await closing
    assert length == 2**20


@pytest.mark.parametrize("call", ["get", "head"])
async def test_a_key_that_is_not_there_is_said_by_name(store: S3ConnectionManager, call: str):
    with pytest.raises(NotFoundError, match=r"external\.instances\.files: .*'nowhere'"):
        await getattr(store, call)("nowhere")
    with pytest.raises(NotFoundError):
        await anext(aiter(store.stream("nowhere")))


@pytest.mark.parametrize("key", ["", "ä" * 513, "half \ud800"])
async def test_what_is_no_key_is_refused_here(store: S3ConnectionManager, key: str):
    with pytest.raises(RejectedError, match="1 to 1024 bytes"):
        await store.put(key, b"x")


async def test_a_header_of_two_lines_is_refused_and_the_line_not_blamed(store: S3ConnectionManager):
    with pytest.raises(RejectedError, match="cannot be made"):
        await store.put("key", b"x", content_type="text/plain\nx-amz-acl: public-read")
    assert store.is_healthy()


async def test_metadata_that_cannot_be_sent_is_refused_here(store: S3ConnectionManager):
    with pytest.raises(RejectedError, match="'Größe'"):
        await store.put("key", b"x", metadata={"Größe": "1"})
    with pytest.raises(RejectedError, match="'file'"):
        await store.put("key", b"x", metadata={"file": "half \ud800"})
    with pytest.raises(RejectedError, match="cannot be made"):
        await anext(store.list("half \ud800"))


async def test_a_listing_has_every_page(
    store: S3ConnectionManager, monkeypatch: pytest.MonkeyPatch
):
    keys = [f"page/{number}" for number in range(5)]
    await asyncio.gather(*(store.put(key, key.encode()) for key in keys))
    monkeypatch.setattr("infrastructure.connections.external.s3.reading._PAGE", 2)
    found = [info async for info in store.list("page/")]
    assert [info.key for info in found] == keys
    assert [info.size_bytes for info in found] == [6] * 5
    assert [info.key async for info in store.list("page/", after="page/2")] == keys[3:]


async def test_a_key_is_taken_as_it_is(store: S3ConnectionManager):
    keys = [f"as/{name}" for name in ("100%", "a b", "a%20b", "a+b", "é\n&<>?#", "😀;=\r")]
    for key in keys:
        await store.put(key, key.encode())
        assert await store.get(key) == key.encode()
        await store.copy(key, "as-copied")
        assert await store.get("as-copied") == key.encode()
    assert [info.key async for info in store.list("as/")] == sorted(keys, key=str.encode)
    assert sorted((await store.delete_many(keys)).keys) == sorted(keys)


async def test_dots_in_a_key_lead_to_no_other_object(store: S3ConnectionManager):
    await store.put("dots/target", b"1")
    with pytest.raises(RejectedError, match=r"dots/x/\.\./target"):
        await store.put("dots/x/../target", b"2")
    assert await store.get("dots/target") == b"1"


async def test_a_delimiter_tells_folders_once(store: S3ConnectionManager):
    await asyncio.gather(*(store.put(key, b"") for key in ("d/a/1", "d/a/2", "d/b", "d/c/1")))
    found = [(info.key, info.is_prefix) async for info in store.list("d/", delimiter="/")]
    assert found == [("d/a/", True), ("d/b", False), ("d/c/", True)]


async def test_a_copy_keeps_or_replaces_what_is_said_of_it(store: S3ConnectionManager):
    await store.put("from", b"text", content_type="text/plain", metadata={"a": "ä"})
    await store.copy("from", "to")
    assert (await store.head("to")).metadata == {"a": "ä"}
    copied = await store.copy("from", "to", metadata={"b": "ö"}, content_type="text/html")
    found, data = await store.get_with_info("to")
    assert (found.metadata, found.content_type, data) == ({"b": "ö"}, "text/html", b"text")
    assert copied.etag == found.etag
    with pytest.raises(NotFoundError, match="'nowhere'"):
        await store.copy("nowhere", "to")
    with pytest.raises(RejectedError, match="needs metadata"):
        await store.copy("from", "to", content_type="text/html")


async def test_deleting_is_harmless_when_done_already(store: S3ConnectionManager):
    await store.put("gone", b"")
    await store.delete("gone")
    await store.delete("gone")
    with pytest.raises(NotFoundError):
        await store.head("gone")


async def test_many_are_deleted_in_batches(
    store: S3ConnectionManager, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("infrastructure.connections.external.s3.manager._MOST_DELETED", 2)
    keys = [f"many/{number}" for number in range(5)]
    await asyncio.gather(*(store.put(key, b"") for key in keys))
    deleted = await store.delete_many(keys)
    assert sorted(deleted.keys) == keys
    assert deleted.failed == {}
    assert [info async for info in store.list("many/")] == []


async def test_of_several_writers_one_creates_and_one_overwrites(store: S3ConnectionManager):
    await store.delete("once")
    created = [store.put("once", b"%d" % number, if_absent=True) for number in range(WRITERS)]
    (first,) = await _done(created)
    assert first.etag == (await store.head("once")).etag
    written = [store.put("once", b"_%d" % n, if_match=first.etag) for n in range(WRITERS)]
    (second,) = await _done(written)
    assert second.etag == (await store.head("once")).etag


async def _done(writes: list[Coroutine[Any, Any, ObjectInfo]]) -> list[ObjectInfo]:
    """What was written; all others were in conflict."""
    ends = await asyncio.gather(*writes, return_exceptions=True)
    done = [end for end in ends if isinstance(end, ObjectInfo)]
    assert [type(end) for end in ends if end not in done] == [ConflictError] * (len(ends) - 1)
    return done


async def test_ranges_read_one_by_one_are_of_one_object(store: S3ConnectionManager):
    info = await store.put("torn", b"aaaa")
    assert await store.get("torn", last_byte=1, if_match=info.etag) == b"aa"
    await store.put("torn", b"bbbb")
    with pytest.raises(ConflictError):
        await store.get("torn", first_byte=2, if_match=info.etag)
    with pytest.raises(ConflictError):
        await anext(aiter(store.stream("torn", first_byte=2, if_match=info.etag)))


async def test_only_what_was_read_is_overwritten(store: S3ConnectionManager):
    first = await store.put("version", b"1")
    await store.put("version", b"2", if_match=f'"{first.etag}"')  # as other tools show it
    with pytest.raises(ConflictError, match="PreconditionFailed"):
        await store.put("version", b"3", if_match=first.etag)
    assert await store.get("version") == b"2"


async def test_conditions_that_exclude_each_other_are_refused(store: S3ConnectionManager):
    with pytest.raises(RejectedError, match="exclude each other"):
        await store.put("key", b"", if_match="x", if_absent=True)


async def test_presigned_urls_let_anybody_in(store: S3ConnectionManager):
    put = await store.presign_put("shared ä", 60, content_type="text/plain")
    headers = {"Content-Type": "text/plain"}
    request = urllib.request.Request(put, data=b"from a browser", headers=headers, method="PUT")
    assert await asyncio.to_thread(_body_of, request) == b""
    assert (
        await asyncio.to_thread(_body_of, await store.presign_get("shared ä")) == b"from a browser"
    )


async def test_a_presigned_url_is_for_its_key_alone(store: S3ConnectionManager):
    await store.put("other", b"secret")
    url = (await store.presign_get("shared")).replace("shared", "other")
    with pytest.raises(urllib.error.HTTPError) as refused:
        await asyncio.to_thread(_body_of, url)
    refused.value.close()
    assert refused.value.code == 403


@pytest.mark.parametrize("seconds", [0, 7 * 24 * 3600 + 1])
async def test_a_presigned_url_counts_for_a_bounded_time(store: S3ConnectionManager, seconds: int):
    with pytest.raises(RejectedError, match=f"found {seconds}"):
        await store.presign_get("key", seconds)


def _body_of(request: str | urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=5) as answer:
        body: bytes = answer.read()
    return body
