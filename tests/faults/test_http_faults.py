"""The kinds that speak HTTP, behind a network that misbehaves."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import pytest

from infrastructure.connections.external.confluence import (
    ConfluenceConnectionManager,
    ConfluenceSettings,
)
from infrastructure.connections.external.http import HttpConnectionManager, HttpSettings
from infrastructure.connections.external.jira import JiraConnectionManager, JiraSettings
from infrastructure.errors import OutcomeUnknownError, UnavailableError
from tests.contracts.connection_faults import ConnectionFaults
from tests.faults.proxy import FaultProxy
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    Seen,
    answer,
    json_answer,
)

#: Twenty calls at once take a tenth of it.
DEADLINE_SECONDS = 0.3
TOKEN = "the-right-token"
ANSWER = {"id": "1", "key": "A-1", "displayName": "Mia"}


def guarded(seen: Seen) -> bytes:
    """The same to every request of who is known."""
    if seen.headers.get("authorization") != f"Bearer {TOKEN}":
        return answer(status=401)
    return json_answer(ANSWER)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(guarded) as server:
        yield server


@pytest.fixture
async def proxy(server: RawServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        yield proxy


def settings_of(proxy: FaultProxy, **changed: Any) -> dict[str, Any]:
    return {
        "base_url": f"http://127.0.0.1:{proxy.port}",
        "allow_private": True,
        "timeout_seconds": DEADLINE_SECONDS,
        "connect_timeout_seconds": DEADLINE_SECONDS,
        "drain_timeout_seconds": 1.0,
        "max_attempts": 2,
        **changed,
    }


async def closed_at_the_end(manager: Any, proxy: FaultProxy) -> AsyncIterator[Any]:
    yield manager
    await proxy.passes()
    await manager.disconnect()


def http_of(proxy: FaultProxy, **changed: Any) -> HttpConnectionManager:
    auth = {"kind": "bearer", "token": TOKEN}
    found = settings_of(proxy, auth=auth, health_path="health", **changed)
    return HttpConnectionManager(HttpSettings.model_validate(found), name="external.instances.tool")


class HttpFaults(ConnectionFaults):
    deadline_seconds: ClassVar[float] = DEADLINE_SECONDS


class TestHttp(HttpFaults):
    @pytest.fixture
    async def manager(self, proxy: FaultProxy) -> AsyncIterator[HttpConnectionManager]:
        async for manager in closed_at_the_end(http_of(proxy), proxy):
            yield manager

    async def ask(self, manager: HttpConnectionManager) -> Any:
        return await manager.get_json("x")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"auth": {"kind": "bearer", "token": "not-this-one"}}


class TestJira(HttpFaults):
    @pytest.fixture
    async def manager(self, proxy: FaultProxy) -> AsyncIterator[JiraConnectionManager]:
        settings = JiraSettings.model_validate(settings_of(proxy, token=TOKEN))
        made = JiraConnectionManager(settings, name="external.instances.jira")
        async for manager in closed_at_the_end(made, proxy):
            yield manager

    async def ask(self, manager: JiraConnectionManager) -> Any:
        return await manager.get_issue("A-1")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"token": "not-this-one"}


class TestConfluence(HttpFaults):
    @pytest.fixture
    async def manager(self, proxy: FaultProxy) -> AsyncIterator[ConfluenceConnectionManager]:
        settings = ConfluenceSettings.model_validate(settings_of(proxy, token=TOKEN))
        made = ConfluenceConnectionManager(settings, name="external.instances.wiki")
        async for manager in closed_at_the_end(made, proxy):
            yield manager

    async def ask(self, manager: ConfluenceConnectionManager) -> Any:
        return await manager.get_page("1")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"token": "not-this-one"}


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[HttpConnectionManager]:
    async with http_of(proxy) as client:
        yield client
        await proxy.passes()


async def test_a_get_whose_answer_is_cut_is_made_again(server, proxy, client):
    proxy.half_reply(20)
    with pytest.raises(UnavailableError):
        await client.get_json("x")
    assert len([seen for seen in server.seen if seen.path == "/x"]) == 2


async def test_a_post_whose_answer_is_cut_is_made_once(server, proxy, client):
    proxy.reset_after(20)
    with pytest.raises(OutcomeUnknownError):
        await client.request("POST", "x")
    assert len([seen for seen in server.seen if seen.path == "/x"]) == 1


async def test_a_post_that_found_no_connection_was_not_sent(server, proxy, client):
    await proxy.refuse()
    with pytest.raises(UnavailableError):
        await client.request("POST", "x")
    assert not [seen for seen in server.seen if seen.path == "/x"]


async def test_a_post_on_lines_that_died_idle_takes_a_new_one(server, proxy, client):
    await proxy.drop_connections()
    assert (await client.request("POST", "x")).json() == ANSWER


async def test_a_download_cut_in_the_middle_is_told(proxy, client):
    pieces = client.download("x")
    proxy.half_reply(90)
    with pytest.raises(UnavailableError):
        assert [piece async for piece in pieces] == []
    assert client.drain.in_flight == 0
