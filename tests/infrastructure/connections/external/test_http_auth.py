"""How a service is shown who calls, and tokens that are fetched for it."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from infrastructure.connections.external.http.settings import HttpAuth
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    UnsupportedError,
)
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    Seen,
    answer,
    client_of,
    json_answer,
)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "none"}, "authorization", None),
        ({"kind": "bearer", "token": "t-1"}, "authorization", "Bearer t-1"),
        (  # RFC 7617, section 2.1
            {"kind": "basic", "user": "test", "password": "123£"},
            "authorization",
            "Basic dGVzdDoxMjPCow==",
        ),
        ({"kind": "api_key", "key": "k-1"}, "x-api-key", "k-1"),
        ({"kind": "api_key", "key": "k-1", "header": "X-Key"}, "x-key", "k-1"),
    ],
)
async def test_each_kind_is_shown_in_its_header(auth, header, value):
    async with RawServer(lambda _: answer()) as server, client_of(server.url, auth=auth) as client:
        await client.request("GET", "x")
        assert server.seen[0].headers.get(header) == value


@pytest.mark.parametrize(
    "auth",
    [
        {"kind": "bearer"},
        {"kind": "basic", "user": "u"},
        {"kind": "none", "token": "t"},
        {"kind": "api_key", "key": "k", "header": "X-Key", "query": "key"},
        {"kind": "client_credentials", "client_id": "i", "client_secret": "s"},
        {"kind": "api_key", "key": "k", "header": "X: y"},
    ],
)
def test_what_a_kind_lacks_or_has_too_much_is_an_error_of_the_settings(auth):
    with pytest.raises(ValidationError):
        HttpAuth.model_validate(auth)


class Issuer:
    """Gives tokens, and takes the last of them only."""

    def __init__(self) -> None:
        self.fetched: list[Seen] = []
        self.expires_in: object = 3600
        self.refuses = False
        self.is_silent = False

    def __call__(self, seen: Seen) -> bytes | Awaitable[bytes]:
        if seen.path == "/token":
            if self.is_silent:
                return asyncio.Future()
            if self.refuses:
                return json_answer({"error": "invalid_client"}, 401)
            self.fetched.append(seen)
            token = {"access_token": f"token-{len(self.fetched)}", "expires_in": self.expires_in}
            return json_answer(token)
        is_last = seen.headers["authorization"] == f"Bearer token-{len(self.fetched)}"
        return json_answer(seen.path) if is_last else answer(status=401)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def server(issuer: Issuer) -> AsyncIterator[RawServer]:
    async with RawServer(issuer) as server:
        yield server


def of(server: RawServer, *, timeout_seconds: float = 5, **changed: object):
    auth = {
        "kind": "client_credentials",
        "token_url": f"{server.url}/token",
        "client_id": "robot",
        "client_secret": "hunter2",
        **changed,
    }
    return client_of(server.url, auth=auth, timeout_seconds=timeout_seconds)


async def test_one_token_is_fetched_for_all_who_wait(server, issuer):
    async with of(server, scope="read") as client:
        issuer.fetched.append(issuer.fetched[0])  # the token it has is taken no more
        assert await asyncio.gather(*(client.get_json("x") for _ in range(20))) == 20 * ["/x"]
    assert len(issuer.fetched) == 3
    first = issuer.fetched[0]
    assert parse_qs(first.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["read"],
    }
    assert first.headers["authorization"] == "Basic cm9ib3Q6aHVudGVyMg=="


async def test_id_and_secret_can_stand_in_the_body(server, issuer):
    async with of(server, secret_in_body=True):
        sent = parse_qs(issuer.fetched[0].body.decode())
    assert (sent["client_id"], sent["client_secret"]) == (["robot"], ["hunter2"])
    assert "authorization" not in issuer.fetched[0].headers


@pytest.mark.parametrize(
    ("expires_in", "kept"),
    [
        (3600, 3570),
        (10, 9),
        pytest.param(10**400, 86_370, id="ages"),
        ("soon", 270),
        (None, 270),
        (-1, 270),
    ],
)
async def test_a_token_is_fetched_anew_before_it_expires(server, issuer, expires_in, kept):
    issuer.expires_in = expires_in
    async with of(server) as client:
        assert client._authorization._renew_at - time.monotonic() == pytest.approx(kept, abs=1)
        await client.get_json("x")
        client._authorization._renew_at = time.monotonic()
        await client.get_json("x")
    assert len(issuer.fetched) == 2


async def test_a_refused_token_is_fetched_anew_once_and_a_post_is_made_again(server, issuer):
    async with of(server) as client:
        issuer.fetched.append(issuer.fetched[0])
        assert (await client.request("POST", "x")).status == 200
        assert [seen.path for seen in server.seen] == ["/token", "/x", "/token", "/x"]


async def test_a_second_refusal_is_the_answer(server, issuer):
    async with of(server) as client:
        server.answer = lambda seen: issuer(seen) if seen.path == "/token" else answer(status=401)
        with pytest.raises(AuthenticationError):
            await client.get_json("x")
        assert [seen.path for seen in server.seen] == ["/token", "/x", "/token", "/x"]


async def test_a_client_that_is_not_known_cannot_open(server, issuer):
    issuer.refuses = True
    with pytest.raises(AuthenticationError, match="client_id") as told:
        await of(server).connect()
    assert "hunter2" not in f"{told.value!r} {told.value.__cause__!r}"


async def test_an_answer_without_a_token_is_a_data_error(server):
    server.answer = lambda _: json_answer({"access_token": "a\nb"})
    with pytest.raises(DataError, match="access_token"):
        await of(server).connect()


async def test_a_key_in_the_query_is_in_no_error():
    async with RawServer(lambda _: answer(status=404)) as server:
        auth = {"kind": "api_key", "key": "hunter2", "query": "key"}
        async with client_of(server.url, auth=auth) as client:
            with pytest.raises(Exception, match="GET /x was answered 404") as told:
                await client.request("GET", "x")
        assert "hunter2" not in f"{told.value!r}"
        assert server.seen[0].target == "/x?key=hunter2"


async def test_credentials_that_changed_are_asked_for_when_the_old_are_refused(server, issuer):
    issuer.fetched = [Seen("", "", {}, b"")]
    asked = 0

    async def credentials() -> dict[str, object]:
        nonlocal asked
        asked += 1
        return {"auth": {"kind": "bearer", "token": f"token-{len(issuer.fetched)}"}}

    client = client_of(server.url)
    client.credentials = credentials
    async with client:
        assert await client.get_json("x") == "/x"
        issuer.fetched.append(issuer.fetched[0])
        assert await asyncio.gather(*(client.get_json("x") for _ in range(20))) == 20 * ["/x"]
        assert asked == 2


async def test_credentials_that_stay_refused_are_the_answer(server, issuer):
    client = client_of(server.url)
    client.credentials = lambda: {"auth": {"kind": "bearer", "token": "never-right"}}
    async with client:
        with pytest.raises(AuthenticationError):
            await client.get_json("x")
        assert len(server.seen) == 1


async def test_a_token_endpoint_that_fails_leaves_no_connection_in_use(server, issuer):
    async with of(server) as client:
        issuer.fetched.append(issuer.fetched[0])
        issuer.refuses = True
        with pytest.raises(AuthenticationError, match="invalid_client"):
            await client.get_json("x")
        assert client.pool_stats().in_use == 0


async def test_a_header_of_the_caller_is_sent_instead(server):
    server.answer = lambda _: answer()
    auth = {"kind": "bearer", "token": "ours"}
    async with client_of(server.url, auth=auth) as client:
        await client.request("GET", "x", headers={"Authorization": "Bearer theirs"})
        assert server.seen[0].headers["authorization"] == "Bearer theirs"
        for value in ("a\r\nb: c", "ä"):
            with pytest.raises(UnsupportedError):
                await client.request("GET", "x", headers={"x-own": value})


@pytest.mark.parametrize("token", ["hunter2\n", "hunter2\u00e4"])
async def test_a_token_that_no_header_can_hold_is_in_no_error_and_not_behind_one(server, token):
    async with client_of(server.url, auth={"kind": "bearer", "token": token}) as client:
        server.seen.clear()
        with pytest.raises(UnsupportedError, match="token") as told:
            await client.get_json("x")
    assert "hunter2" not in "".join(traceback.format_exception(told.value))
    assert "hunter2" not in repr(told.value.__cause__)


async def test_a_service_that_refuses_every_token_does_not_have_them_fetched_in_a_row(
    server, issuer
):
    async with of(server) as client:
        server.answer = lambda seen: issuer(seen) if seen.path == "/token" else answer(status=401)
        for _ in range(10):
            with pytest.raises(AuthenticationError):
                await client.get_json("x")
        assert len(issuer.fetched) == 2
        client._authorization._again_at = time.monotonic()
        with pytest.raises(AuthenticationError):
            await client.get_json("x")
        assert len(issuer.fetched) == 3


async def test_a_post_refused_with_401_is_not_in_doubt_when_no_other_token_can_be_had(
    server, issuer
):
    async with of(server, timeout_seconds=0.1) as client:
        issuer.fetched.append(issuer.fetched[0])
        issuer.is_silent = True
        with pytest.raises(DeadlineExceededError):
            await client.request("POST", "x")


async def test_cookies_of_who_called_before_are_not_shown_with_new_credentials(server, issuer):
    issuer.fetched = [Seen("", "", {}, b"")]
    server.answer = lambda seen: issuer(seen).replace(b"X\r\n", b"X\r\nset-cookie: s=1\r\n", 1)
    client = client_of(server.url, session_cookies=True)
    client.credentials = lambda: {
        "auth": {"kind": "bearer", "token": f"token-{len(issuer.fetched)}"}
    }
    async with client:
        await client.get_json("x")
        issuer.fetched.append(issuer.fetched[0])
        await client.get_json("x")
    assert [seen.headers.get("cookie") for seen in server.seen] == [None, "s=1", None]


async def test_nor_are_those_that_an_answer_to_them_brings_later(server):
    waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def reply(seen: Seen) -> bytes | Awaitable[bytes]:
        if seen.path == "/slow":
            return waiting
        return answer() if seen.headers["authorization"] == "Bearer new" else answer(status=401)

    server.answer = reply
    client = client_of(server.url, session_cookies=True, auth={"kind": "bearer", "token": "old"})
    async with client:
        slow = asyncio.create_task(client.request("GET", "slow"))
        await server.asked.wait()
        client.credentials = lambda: {"auth": {"kind": "bearer", "token": "new"}}
        await client.request("GET", "x")
        waiting.set_result(answer(set_cookie="session=old"))
        await slow
        await client.request("GET", "x")
    assert [seen.headers.get("cookie") for seen in server.seen] == 4 * [None]
