"""Listings of several pages."""

from collections.abc import AsyncIterator

import pytest

from infrastructure.connections.external.http import HttpConnectionManager
from infrastructure.connections.external.http.pages import cursor_at
from infrastructure.errors import DataError, RejectedError
from tests.infrastructure.connections.external.raw_server import (
    RawServer,
    Seen,
    client_of,
    json_answer,
)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(lambda seen: json_answer(seen.target)) as server:
        yield server


@pytest.fixture
async def client(server: RawServer) -> AsyncIterator[HttpConnectionManager]:
    async with client_of(f"{server.url}/api") as client:
        yield client


async def targets(pages) -> list[str]:
    return [page.json() async for page in pages]


def linking(links: dict[str, str]):
    def answered(seen: Seen) -> bytes:
        if seen.target not in links:
            return json_answer(seen.target)
        return json_answer(seen.target, link=links[seen.target])

    return answered


async def test_the_link_of_a_page_leads_to_the_next(server, client):
    second = f'<{server.url}/api/items?page=2&tag=a&tag=b>; rel="next", </api/items>; rel="first"'
    server.answer = linking(
        {
            "/api/items?page=1": second,
            "/api/items?page=2&tag=a&tag=b": "<items?page=3>; title=x; rel=next",
            "/api/items?page=3": '</api/items?page=2>; rel="prev"',
        }
    )
    assert await targets(client.pages("items", {"page": 1})) == [
        "/api/items?page=1",
        "/api/items?page=2&tag=a&tag=b",
        "/api/items?page=3",
    ]


@pytest.mark.parametrize("link", ["http://example.com/api/items", "/other", "/api/../x", "/apix"])
async def test_a_link_outside_the_base_url_is_refused(server, client, link):
    server.answer = linking({"/api/items": f'<{link}>; rel="next"'})
    with pytest.raises(RejectedError, match="outside base_url"):
        await targets(client.pages("items"))


async def test_a_cursor_leads_to_the_next(server, client):
    cursors = {"/api/items?q=x": "c 2", "/api/items?q=x&after=c+2": ""}
    server.answer = lambda seen: json_answer(
        {"at": seen.target, "meta": {"next": cursors.get(seen.target)}}
    )
    pages = client.pages("items", {"q": "x"}, next_page=cursor_at("meta.next", "after"))
    assert [page.json()["at"] async for page in pages] == list(cursors)


@pytest.mark.parametrize("link", ["items", "/api/items?page=2"])
async def test_a_page_that_leads_in_a_circle_ends_the_listing(server, client, link):
    server.answer = lambda seen: json_answer(1, link=f"<{link}>; rel=next")
    with pytest.raises(DataError, match="there already"):
        await targets(client.pages("items"))


async def test_pages_are_bounded(server, client):
    server.answer = lambda seen: json_answer({"next": len(server.seen)})
    with pytest.raises(DataError, match="more than 7 pages"):
        async for _ in client.pages("items", next_page=cursor_at("next", "at"), max_pages=7):
            pass
    assert len(server.seen) == 7
