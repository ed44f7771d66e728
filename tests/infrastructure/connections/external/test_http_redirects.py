"""Redirects: how far they are followed, and what goes along."""

from collections.abc import AsyncIterator

import httpx
import pytest

from infrastructure.connections.external.http import HttpConnectionManager
from infrastructure.connections.external.http.place import Place
from infrastructure.errors import OutcomeUnknownError, RejectedError, UnavailableError
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    Seen,
    answer,
    client_of,
    json_answer,
)

AUTH = {"kind": "bearer", "token": "hunter2"}


@pytest.fixture
async def other() -> AsyncIterator[RawServer]:
    async with RawServer(lambda seen: json_answer(seen.path)) as server:
        yield server


@pytest.fixture
async def server(other: RawServer) -> AsyncIterator[RawServer]:
    places = {
        "/api/near": "/elsewhere",
        "/api/far": f"{other.url}/media",
        "/api/loop": "/api/loop",
        "/api/tls": "https://example.com/",
        "/api/file": "file:///etc/passwd",
        "/api/broken": "http://a:b/",
        "/api/port": "http://127.0.0.1:99999/",
        "/api/back": f"{other.url}/back",
    }
    async with RawServer(lambda _: answer()) as server:
        server.answer = lambda seen: (
            answer(b"moved", int(seen.headers.get("status", 302)), location=places[seen.path])
            if seen.path in places
            else json_answer(seen.path)
        )
        yield server


@pytest.fixture
async def client(server: RawServer) -> AsyncIterator[HttpConnectionManager]:
    headers = {"X-Tenant": "acme"}
    async with client_of(f"{server.url}/api", auth=AUTH, headers=headers) as client:
        yield client


async def test_a_redirect_on_the_same_host_keeps_who_calls(server, client):
    assert await client.get_json("near") == "/elsewhere"
    assert [seen.headers["authorization"] for seen in server.seen] == 2 * ["Bearer hunter2"]
    assert server.connections == 1


async def test_another_host_is_shown_nothing_of_it(server, other, client):
    headers = {"Cookie": "s=1", "X-Own": "secret", "Range": "bytes=0-"}
    await client.request("GET", "far", headers=headers)
    (seen,) = other.seen
    sent = set(seen.headers)
    assert sent == {"host", "accept", "accept-encoding", "user-agent", "range"}
    assert server.seen[0].headers["x-tenant"] == "acme"


async def test_a_way_back_from_another_host_is_shown_nothing_either(server, other, client):
    other.answer = lambda _: answer(status=302, location=f"{server.url}/api/x")
    await client.get_json("back")
    assert "authorization" not in server.seen[-1].headers


async def test_an_api_key_of_the_query_stays_at_home(server, other):
    auth = {"kind": "api_key", "key": "hunter2", "query": "key"}
    async with client_of(f"{server.url}/api", auth=auth) as client:
        await client.request("GET", "far", params={"a": 1})
    assert server.seen[0].target == "/api/far?a=1&key=hunter2"
    assert other.seen[0].target == "/media"


@pytest.mark.parametrize(("path", "reason"), [
    ("loop", "more than 5 times"),
    ("tls", "from http to https"),
    ("file", "from http to file"),
    ("broken", "no URL"),
])  # fmt: skip
async def test_what_is_not_followed(client, path, reason):
    with pytest.raises(RejectedError, match=reason):
        await client.request("GET", path)


async def test_a_place_that_does_not_exist_is_named(server):
    async with client_of(f"{server.url}/api", max_attempts=1) as client:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:99999"):
            await client.request("GET", "port")


def test_an_answer_of_https_is_not_followed_to_http():
    place = Place("https://example.com", "x")
    with pytest.raises(RejectedError, match="from https to http"):
        place.redirected("http://example.com/", httpx.URL("https://example.com/a"))


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        *((301, "GET", b""), (302, "GET", b""), (303, "GET", b"")),
        *((307, "POST", b"{}"), (308, "POST", b"{}")),
    ],
)
async def test_a_post_goes_on_as_its_status_says(server, client, status, method, body):
    await client.request("POST", "near", json={}, headers={"status": str(status)})
    assert (server.seen[-1].method, server.seen[-1].body) == (method, body)


async def test_a_body_is_not_sent_to_another_host(other, client):
    with pytest.raises(RejectedError, match="with its body to another host"):
        await client.request("POST", "far", json={}, headers={"status": "307"})
    assert other.seen == []


async def test_no_redirect_is_followed_where_none_is_wanted(server):
    async with client_of(f"{server.url}/api", max_redirects=0) as client:
        with pytest.raises(RejectedError, match="more than 0 times"):
            await client.request("GET", "near")
        assert (await client.request("GET", "near", accepts={302})).status == 302


async def test_cookies_of_the_service_stay_with_it_and_those_of_others_are_not_kept(server, other):
    other.answer = lambda _: answer(set_cookie="theirs=1; Path=/")
    first = server.answer
    server.answer = lambda seen: (
        answer(set_cookie="ours=1; Path=/") if seen.path == "/api/login" else first(seen)
    )
    async with client_of(f"{server.url}/api", session_cookies=True) as client:
        for path in ("login", "far", "far", "x"):
            await client.request("GET", path)
    assert ["cookie" in seen.headers for seen in other.seen] == [False, False]
    assert [seen.headers.get("cookie") for seen in server.seen] == [None, *3 * ["ours=1"]]


async def test_cookies_are_bounded(server):
    def fifty(_: Seen) -> bytes:
        at = 50 * len(server.seen)
        lines = "".join(f"set-cookie: c{at + each}=1; Path=/\r\n" for each in range(50))
        return answer().replace(b"\r\n", f"\r\n{lines}".encode(), 1)

    server.answer = fifty
    async with client_of(server.url, session_cookies=True) as client:
        for _ in range(7):
            await client.request("GET", "x")
    sent = [seen.headers.get("cookie", "").count("=") for seen in server.seen]
    assert 100 < max(sent) <= 200


@pytest.mark.parametrize(
    ("status", "result"), [(301, 404), (302, 401), (302, 500), (303, 429), (303, 503)]
)
async def test_a_post_that_led_on_to_its_result_is_not_made_again(server, status, result):
    """It was carried out; only what became of it is not known (RFC 9110, section 15.4.4)."""
    server.answer = lambda seen: (
        answer(status=status, location="/done")
        if seen.method == "POST"
        else answer(status=result, retry_after="0")
    )
    async with client_of(server.url) as client:
        client.credentials = lambda: {"auth": AUTH}
        with pytest.raises(OutcomeUnknownError, match="POST /x"):
            await client.request("POST", "x", json={})
    assert [seen.method for seen in server.seen].count("POST") == 1


@pytest.mark.parametrize(
    "nowhere",
    ["http://127.0.0.1:1/done", "https://127.0.0.1/done", "http://169.254.1.1/", "x"],
    ids=["nobody", "another scheme", "not allowed", "round and round"],
)
async def test_a_post_that_led_on_to_nowhere_is_not_made_again(server, nowhere):
    server.answer = lambda _: answer(status=303, location=nowhere)
    async with client_of(server.url) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", "x", json={})
    assert [seen.method for seen in server.seen].count("POST") == 1


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:a9fe:a9fe]", "168.63.129.16"]
)
async def test_where_a_redirect_leads_is_checked_as_any_address(server, client, host):
    server.answer = lambda _: answer(status=302, location=f"http://user:word@{host}/latest")
    with pytest.raises(RejectedError, match="metadata"):
        await client.request("GET", "x")


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT"])
async def test_what_changes_something_is_not_sent_to_another_host(other, client, method):
    with pytest.raises(RejectedError, match="to another host"):
        await client.request(method, "far", headers={"status": "307"})
    assert other.seen == []
