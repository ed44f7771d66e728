"""What an object store may answer that SeaweedFS does not when asked: scripted over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pytest_httpserver import HTTPServer
from werkzeug import Response

from infrastructure.connections.external.aws.errors import ForbiddenError
from infrastructure.connections.external.s3 import S3ConnectionManager, S3Settings
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.resilience import FixedDelayStrategy, Retry

pytestmark = pytest.mark.asyncio(loop_scope="module")
ETAG = {"ETag": '"1"'}
EMPTY_LIST = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


def refusal(code: str, text: str = "No.") -> str:
    return f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"


def made(server: HTTPServer, **changed: Any) -> S3ConnectionManager:
    found = {
        "endpoint_url": server.url_for("").rstrip("/"),
        "bucket": "books",
        "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": "made-up",
    }
    return S3ConnectionManager(S3Settings.model_validate({**found, **changed}), name="files")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connected(make_httpserver: HTTPServer) -> AsyncIterator[S3ConnectionManager]:
    make_httpserver.expect_request("/books", method="GET").respond_with_data(EMPTY_LIST)
    async with made(make_httpserver) as connected:
        yield connected


@pytest.fixture
def store(httpserver: HTTPServer, connected: S3ConnectionManager) -> S3ConnectionManager:
    """It knows nothing of the test before, for each answer is scripted anew."""
    httpserver.clear()
    connected.policy = None
    return connected


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ExpiredToken", AuthenticationError),
        (400, "RequestTimeout", UnavailableError),
        (400, "XAmzContentChecksumMismatch", DataError),
        (400, "EntityTooLarge", RejectedError),
        (403, "AccessDenied", ForbiddenError),
        (403, "RequestTimeTooSkewed", AuthenticationError),
        (404, "NoSuchKey", NotFoundError),
        (404, "SomethingNew", NotFoundError),
        (409, "OperationAborted", ConflictError),
        (412, "PreconditionFailed", ConflictError),
        (429, "TooManyRequests", OverloadedError),
        (500, "InternalError", UnavailableError),
        (501, "NotImplemented", UnsupportedError),
        (502, "", UnavailableError),
        (503, "SlowDown", OverloadedError),
        (503, "ServiceUnavailable", OverloadedError),
    ],
)
async def test_each_refusal_has_its_error(
    store: S3ConnectionManager,
    httpserver: HTTPServer,
    status: int,
    code: str,
    kind: type[InfrastructureError],
):
    httpserver.expect_request("/books/dune").respond_with_data(refusal(code), status)
    with pytest.raises(InfrastructureError, match=f"files: GetObject of 'dune'.*{code}") as told:
        await store.get("dune")
    assert type(told.value) is kind


async def test_a_store_that_asks_to_wait_says_how_long(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    answer = refusal("SlowDown")
    httpserver.expect_request("/books/dune").respond_with_data(answer, 503, {"Retry-After": "7"})
    with pytest.raises(OverloadedError) as told:
        await store.get("dune")
    assert told.value.retry_after_seconds == 7
    assert len([each for each, _ in httpserver.log if each.path == "/books/dune"]) == 1


async def test_a_server_that_fails_leaves_a_conditional_write_unknown(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    httpserver.expect_request("/books/dune").respond_with_data(refusal("InternalError"), 500)
    with pytest.raises(UnavailableError):
        await store.put("dune", b"x")
    with pytest.raises(OutcomeUnknownError):
        await store.put("dune", b"x", if_absent=True)


async def test_what_was_signed_is_not_shown(store: S3ConnectionManager, httpserver: HTTPServer):
    answer = refusal("SignatureDoesNotMatch", "you signed x-amz-security-token:HUNTER2")
    httpserver.expect_request("/books/dune").respond_with_data(answer, 403)
    with pytest.raises(AuthenticationError) as told:
        await store.get("dune")
    assert "HUNTER2" not in f"{told.value} {told.value.__cause__!r}"


async def test_bytes_that_are_not_those_stored_are_noticed(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    headers = {"x-amz-checksum-crc32": "AAAAAA==", **ETAG}
    httpserver.expect_request("/books/dune").respond_with_data("changed", headers=headers)
    with pytest.raises(DataError, match="another checksum"):
        await store.get("dune")
    with pytest.raises(DataError, match="another checksum"):
        assert [piece async for piece in store.stream("dune")]


@pytest.mark.parametrize("body", ["<html><p>log in</p></html>", ""])
async def test_an_answer_that_is_none_is_told_as_such(
    store: S3ConnectionManager, httpserver: HTTPServer, body: str
):
    httpserver.expect_request("/books").respond_with_data(body)
    with pytest.raises(DataError, match="cannot be read"):
        assert [each async for each in store.list()]


async def test_what_was_written_is_told_with_its_etag_or_it_is_no_store(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    httpserver.expect_request("/books/dune").respond_with_data("<html>log in</html>")
    with pytest.raises(DataError, match="no ETag"):
        await store.put("dune", b"x")
    with pytest.raises(DataError, match="no ETag"):
        await store.copy("dune", "dune")


async def test_a_page_that_is_no_object_is_not_taken_for_one(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    httpserver.expect_request("/books/dune").respond_with_data("<html>log in</html>")
    with pytest.raises(DataError, match="no ETag"):
        await store.get("dune")
    with pytest.raises(DataError, match="no ETag"):
        await store.head("dune")
    with pytest.raises(DataError, match="no ETag"):
        await anext(store.stream("dune"))
    assert store.pool_stats().in_use == 0


async def test_what_comes_in_pieces_is_stored_whole_or_not_at_all_under_a_policy_that_repeats(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"Arrakis"

    for status in (503, 503, 200):
        asked = httpserver.expect_ordered_request("/books/dune", method="PUT")
        asked.respond_with_data("", status, headers=ETAG)
    store.policy = Retry(2, FixedDelayStrategy(0.001))
    with pytest.raises(OverloadedError):
        await store.put("dune", pieces())
    await store.put("dune", b"Arrakis")
    assert [each.data for each, _ in httpserver.log] == [b"Arrakis"] * 3


async def test_pieces_that_come_too_late_for_an_attempt_are_not_begun_again(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"Arrakis"
        await asyncio.Event().wait()

    store.policy = Retry(3, FixedDelayStrategy(0.001), attempt_timeout=0.05)
    with pytest.raises(UnavailableError, match=r"no answer within 0\.05 s"):
        await store.put("dune", pieces())
    assert httpserver.log == []


async def test_an_object_of_untold_length_is_not_read_into_memory(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    endless = Response(iter([b"spice"] * 3), headers=ETAG)
    httpserver.expect_request("/books/dune").respond_with_response(endless)
    with pytest.raises(RejectedError, match="a length nobody told"):
        await store.get("dune")


@pytest.mark.parametrize(
    "page",
    [
        "<Name>books</Name><IsTruncated>true</IsTruncated>",
        "<Name>books</Name><IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken>",
    ],
    ids=["without a mark", "with the same mark"],
)
async def test_a_listing_that_leads_nowhere_ends(
    store: S3ConnectionManager, httpserver: HTTPServer, page: str
):
    answer = f"<ListBucketResult>{page}</ListBucketResult>"
    httpserver.expect_request("/books").respond_with_data(answer)
    with pytest.raises(DataError, match="how to ask for the next"):
        assert [each async for each in store.list()]


async def test_uploads_whose_listing_leads_nowhere_are_not_listed_for_ever(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    httpserver.expect_request("/books").respond_with_data(
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>"
    )
    with pytest.raises(DataError, match="how to ask for the next"):
        assert [each async for each in store.list_uploads()]


async def test_a_bucket_that_another_of_ours_just_made_is_there(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    httpserver.expect_request("/books", method="HEAD").respond_with_data("", 404)
    create = httpserver.expect_oneshot_request("/books", method="PUT")
    create.respond_with_data(refusal("BucketAlreadyOwnedByYou"), 409)
    assert not await store.ensure_bucket()
    create = httpserver.expect_request("/books", method="PUT")
    create.respond_with_data(refusal("BucketAlreadyExists"), 409)
    with pytest.raises(ConflictError):
        await store.ensure_bucket()


@pytest.mark.parametrize(
    ("code", "status", "hint"),
    [
        ("RequestTimeTooSkewed", 403, "clock"),
        ("AuthorizationHeaderMalformed", 400, "region"),
        ("SignatureDoesNotMatch", 403, "key"),
    ],
)
async def test_a_refusal_says_what_to_look_at(
    store: S3ConnectionManager, httpserver: HTTPServer, code: str, status: int, hint: str
):
    httpserver.expect_request("/books/dune").respond_with_data(refusal(code), status)
    with pytest.raises(AuthenticationError, match=hint):
        await store.get("dune")


async def test_a_refusal_behind_a_good_status_is_one(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    httpserver.expect_request("/books/dune").respond_with_data(refusal("InternalError"))
    with pytest.raises(UnavailableError, match="InternalError"):
        await store.copy("dune", "dune")


async def test_what_could_not_be_deleted_is_told_with_its_reason(
    store: S3ConnectionManager, httpserver: HTTPServer
):
    answer = (
        "<DeleteResult><Deleted><Key>a</Key></Deleted>"
        "<Error><Key>b</Key><Code>AccessDenied</Code><Message>No.</Message></Error></DeleteResult>"
    )
    httpserver.expect_request("/books", method="POST").respond_with_data(answer)
    deleted = await store.delete_many(["a", "b", "c"])
    assert deleted.keys == ("a",)
    assert isinstance(deleted.failed["c"], DataError)
    assert isinstance(deleted.failed["b"], ForbiddenError)


async def test_who_may_not_list_is_let_in(httpserver: HTTPServer):
    httpserver.expect_request("/books").respond_with_data(refusal("AccessDenied"), 403)
    httpserver.expect_request("/books/dune").respond_with_data(b"spice", headers=ETAG)
    async with made(httpserver) as store:
        assert (await store.health_check()).is_up
        assert await store.get("dune") == b"spice"


@pytest.mark.parametrize(
    ("addressing", "asked"),
    [(None, "//store.invalid:1/books"), ("virtual", "//books.store.invalid:1/")],
)
async def test_the_bucket_may_stand_before_the_host(
    httpserver: HTTPServer, addressing: str | None, asked: str
):
    endpoint = "http://store.invalid:1"
    store = made(httpserver, endpoint_url=endpoint, addressing=addressing, connect_attempts=1)
    with pytest.raises(UnavailableError) as told:
        await store.connect()
    assert asked in str(told.value.__cause__)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"endpoint_url": "localhost:9000"}, "no address of a server"),
        ({"endpoint_url": "http://user:HUNTER2@host"}, "no address of a server"),
        ({"endpoint_url": "http://:HUNTER2@host"}, "no address of a server"),
        ({"secret_access_key": None}, "go together"),
        ({"part_bytes": 1000}, "part_bytes"),
    ],
)
async def test_settings_that_cannot_work_are_refused(
    httpserver: HTTPServer, changed: dict[str, Any], told: str
):
    with pytest.raises(ValueError, match=told) as refused:
        made(httpserver, **changed)
    assert "HUNTER2" not in str(refused.value)
