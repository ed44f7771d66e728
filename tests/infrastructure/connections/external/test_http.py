"""Requests of the generic client: what is sent, what comes back, what is made again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import httpx
import pytest
from pytest_httpserver import HTTPServer

from infrastructure.connections.base import ConnectionState, PoolStats
from infrastructure.connections.external.http import (
    HttpConnectionManager,
    HttpResponse,
    Upload,
)
from infrastructure.connections.external.http.calls import call_of
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from tests.contracts.connection_contract import ConnectionContract
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    Seen,
    answer,
    client_of,
    json_answer,
)


class TestHttpConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, httpserver: HTTPServer) -> HttpConnectionManager:
        httpserver.expect_request("/health").respond_with_json({"up": True})
        return client_of(httpserver.url_for("/"), health_path="health")


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(lambda seen: json_answer({"path": seen.path})) as server:
        yield server


@pytest.fixture
async def client(server: RawServer) -> AsyncIterator[HttpConnectionManager]:
    async with client_of(f"{server.url}/api") as client:
        yield client


async def test_a_request_goes_below_the_base_url_with_its_query_and_body(server, client):
    await client.request(
        "post", "items", params={"tag": ["a", "b"], "new": True, "no": None}, json={"n": 1}
    )
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/api/items?tag=a&tag=b&new=true")
    assert (seen.headers["content-type"], seen.body) == ("application/json", b'{"n":1}')


async def test_one_connection_is_used_again(server, client):
    for _ in range(5):
        await client.get_json("x")
    assert server.connections == 1
    assert client.pool_stats() == PoolStats(size=1, in_use=0, limit=20)


@pytest.mark.parametrize(
    "path",
    [
        *("../x", "a/../../x", "a/%2e%2e/x", "a/%252e%252e/x", "a\\..\\x", "https://b/x"),
        *("//b/x", "x?key=1", "x#y", "a b", "a\r\nHost: b", "./x"),
        *("..;/x", "a/..;v=1/x", "a/..%3b/x", "a/..%00/x"),  # as some servers read it
    ],
)
async def test_no_path_leaves_the_base_url(server, client, path):
    with pytest.raises(UnsupportedError, match="below base_url"):
        await client.request("GET", path)
    assert server.seen == []


async def test_what_does_not_say_that_it_is_json_is_not_read_as_json(server, client):
    server.answer = lambda _: answer(b'{"a": 1}', kind="text/html")
    with pytest.raises(DataError, match="'text/html', not JSON"):
        await client.get_json("x")


async def test_broken_json_is_a_data_error(server, client):
    server.answer = lambda _: answer(b'{"a": ', kind="application/problem+json")
    with pytest.raises(DataError, match="no JSON"):
        await client.get_json("x")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RejectedError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (405, UnsupportedError),
        (409, ConflictError),
        (410, NotFoundError),
        (412, ConflictError),
        (429, OverloadedError),
        (501, UnsupportedError),
    ],
)
async def test_a_refusal_is_the_error_of_its_status(server, client, status, error):
    client._retry.max_attempts = 1
    server.answer = lambda _: json_answer({"errors": [{"detail": "the reason"}]}, status)
    with pytest.raises(error) as told:
        await client.request("POST", "items")
    assert type(told.value) is error
    assert f"POST /api/items was answered {status}" in str(told.value)
    assert ("the reason" in str(told.value)) is (error is not AuthenticationError)


async def test_an_accepted_status_is_an_answer(server, client):
    server.answer = lambda _: answer(status=404)
    assert (await client.request("GET", "x", accepts={404})).status == 404


async def test_what_the_service_says_is_left_out_where_it_repeats_a_secret(server):
    server.answer = lambda seen: json_answer({"message": seen.headers["x-api-key"]}, 400)
    auth = {"kind": "api_key", "key": "hunter2-hunter2"}
    async with client_of(server.url, auth=auth) as client:
        with pytest.raises(RejectedError) as told:
            await client.request("GET", "x")
    assert "hunter2" not in f"{told.value!r}{client!r}{client.settings!r}"


def failing_first(*first: bytes) -> Callable[[Seen], bytes]:
    waiting = list(first)
    return lambda _: waiting.pop(0) if waiting else json_answer("done")


@pytest.mark.parametrize("status", [500, 503])
async def test_a_fault_is_tried_again_where_that_does_no_harm(server, client, status):
    server.answer = failing_first(answer(status=status))
    assert await client.get_json("x") == "done"
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "failure", [answer(status=500), answer(status=503), b""], ids=["500", "503", "cut"]
)
async def test_a_post_is_sent_once_and_its_outcome_is_unknown(server, client, failure):
    server.answer = failing_first(failure)
    with pytest.raises(OutcomeUnknownError):
        await client.request("POST", "x")
    assert len(server.seen) == 1


@pytest.mark.parametrize("failure", [answer(status=500), b""], ids=["500", "cut"])
async def test_a_post_with_an_idempotency_key_is_made_again_with_the_same(server, client, failure):
    server.answer = failing_first(failure)
    await client.request("POST", "x", idempotency_key="k-1")
    assert [seen.headers["idempotency-key"] for seen in server.seen] == ["k-1", "k-1"]


async def test_a_post_refused_for_now_is_made_again_after_the_wait_asked_for(server, client):
    server.answer = failing_first(answer(status=429, retry_after="0.05"))
    waited = asyncio.get_running_loop().time()
    await client.request("POST", "x")
    assert asyncio.get_running_loop().time() - waited >= 0.05
    assert len(server.seen) == 2


async def test_a_wait_past_the_deadline_is_not_begun(server, client):
    server.answer = failing_first(answer(status=429, retry_after="30"))
    with pytest.raises(OverloadedError) as told:
        await client.get_json("x")
    assert told.value.retry_after_seconds == 30
    assert len(server.seen) == 1
    assert client.state is ConnectionState.DEGRADED


async def test_a_service_that_is_away_is_tried_as_often_as_set(server):
    server.answer = lambda _: answer(status=502)
    async with client_of(server.url, max_attempts=2) as client:
        with pytest.raises(UnavailableError):
            await client.get_json("x")
        assert len(server.seen) == 2
        assert client.state is ConnectionState.UNAVAILABLE


async def test_one_deadline_bounds_attempts_and_waits(server):
    server.answer = lambda _: answer(status=503)
    async with client_of(server.url, timeout_seconds=0.15, max_attempts=20) as client:
        began = asyncio.get_running_loop().time()
        with pytest.raises(InfrastructureError):
            await client.get_json("x")
        assert asyncio.get_running_loop().time() - began < 0.65


async def silent(_: Seen) -> bytes:
    await asyncio.Event().wait()
    return b""


async def test_no_answer_in_time_leaves_a_get_open_and_a_post_in_doubt(server):
    server.answer = silent
    async with client_of(server.url, timeout_seconds=0.1) as client:
        with pytest.raises(DeadlineExceededError):
            await client.get_json("x")
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", "x")


async def test_a_full_pool_is_an_overload_and_what_waited_in_it_was_not_sent(server):
    server.answer = lambda _: answer(bytes(1_000_000))
    async with client_of(
        server.url, timeout_seconds=0.1, max_connections=1, max_attempts=1
    ) as client:
        async with aclosing(client.download("x")) as pieces:
            await anext(pieces)
            with pytest.raises(OverloadedError, match="max_connections"):
                await client.request("POST", "x")
        assert len(server.seen) == 1


async def test_a_cancelled_request_gives_its_connection_back(server):
    async with client_of(server.url, max_connections=1) as client:
        server.answer = silent
        task = asyncio.create_task(client.get_json("x"))
        await server.asked.wait()
        task.cancel()
        await asyncio.wait((task,))
        server.answer = lambda _: json_answer(1)
        assert await client.get_json("x") == 1
        assert client.pool_stats().in_use == 0


async def test_cookies_are_kept_where_asked_for_and_until_it_is_closed(server):
    server.answer = lambda _: answer(set_cookie="session=s1; Path=/")
    for keeps, expected in ((False, None), (True, "session=s1")):
        async with client_of(server.url, session_cookies=keeps) as client:
            await client.request("GET", "login")
            await client.request("GET", "x")
            assert server.seen[-1].headers.get("cookie") == expected
            await client.disconnect()
            await client.request("GET", "x")
            assert "cookie" not in server.seen[-1].headers


async def test_health_without_a_path_is_any_answer(server):
    server.answer = lambda _: answer(status=404)
    async with client_of(server.url) as client:
        assert (await client.health_check()).detail == "HEAD / was answered 404"


async def test_health_with_a_path_is_its_success(server):
    server.answer = lambda _: answer(status=404)
    client = client_of(server.url, health_path="health")
    assert "GET /health was answered 404" in (await client.health_check()).detail
    assert not client.is_healthy()
    await client.disconnect()


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection"])
async def test_where_a_request_ends_is_not_said_by_the_caller(server, client, name):
    with pytest.raises(UnsupportedError, match=f"'{name}'"):
        await client.request("POST", "x", content=b"abc", headers={name: "1"})
    assert server.seen == []


async def test_of_two_bodies_none_is_sent(server, client):
    with pytest.raises(UnsupportedError, match="one body"):
        await client.request("POST", "x", json={}, content=b"abc")
    assert server.seen == []


async def test_a_method_is_a_word(server, client):
    with pytest.raises(UnsupportedError) as told:
        await client.request("GET / HTTP/1.1\r\nx: y", "x")
    assert str(told.value).isprintable()
    assert server.seen == []


def test_what_was_asked_and_answered_is_not_in_a_repr():
    url = httpx.URL("http://tools.test/x?key=hunter2")
    headers = {"authorization": "hunter2"}
    call = call_of("POST", url, max_bytes=1, headers=headers, json={"secret": "hunter2"})
    answered = HttpResponse(200, httpx.Headers({"set-cookie": "s=hunter2"}), b"hunter2", "x")
    assert "hunter2" not in f"{call!r} {answered!r} {Upload(b'hunter2')!r}"


async def test_no_log_of_any_level_has_a_token_or_a_cookie_in_it(server, caplog):
    server.answer = lambda seen: (
        answer(status=302, location="/y?signed=hunter2", set_cookie="s=hunter2")
        if seen.path == "/x"
        else json_answer(1)
    )
    caplog.set_level(logging.DEBUG)
    auth = {"kind": "bearer", "token": "hunter2"}
    async with client_of(server.url, auth=auth, headers={"x-key": "hunter2"}) as client:
        assert await client.get_json("x") == 1
        assert "hunter2" not in repr(client.settings)
    assert "send_request_headers" in caplog.text
    assert "hunter2" not in caplog.text
