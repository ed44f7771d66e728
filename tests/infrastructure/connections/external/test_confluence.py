"""Confluence Cloud and Data Center, by answers shaped as Atlassian's references have them.

Held against the OpenAPI document of Cloud's interface 2: pages (read, created, changed, deleted),
the files and footer comments of a page, `_links.next`, the bound of 250; against clients generated
from it: children, a new comment; against the reference of interface 1: search and its cursor,
upload (`minorEdit`), download, who one is; against Data Center's: listings and files. Not held
against anything: the status of a conflict on Cloud, for which the reference has none but 400, and
a new comment on Data Center.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from infrastructure.connections.external.confluence import (
    ConfluenceConnectionManager,
    ConfluenceSettings,
)
from infrastructure.connections.external.http.files import Upload
from infrastructure.errors import (
    ConflictError,
    DataError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    UnsupportedError,
)
from tests.contracts.connection_contract import ConnectionContract
from tests.infrastructure.connections.external.atlassian_server import Script, nothing, reply
from tests.infrastructure.connections.external.raw_server import RawServer, Seen, answer

ME = {"type": "known", "accountId": "5b10a", "displayName": "Mia Krystof"}


def made(url: str, **changed: Any) -> ConfluenceConnectionManager:
    found = {"base_url": f"{url}/wiki", "allow_private": True, "token": "tok-1", **changed}
    settings = ConfluenceSettings.model_validate({"page_size": 2, **found})
    return ConfluenceConnectionManager(settings, name="external.instances.wiki")


class TestConfluenceConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, httpserver) -> ConfluenceConnectionManager:
        httpserver.expect_request("/wiki/rest/api/user/current").respond_with_json(ME)
        return made(httpserver.url_for(""))


@pytest.fixture
def script() -> Script:
    script = Script()
    script.on("GET /wiki/rest/api/user/current", reply(ME))
    return script


@pytest.fixture
async def server(script: Script) -> AsyncIterator[RawServer]:
    async with RawServer(script) as server:
        yield server


@pytest.fixture
async def cloud(server: RawServer) -> AsyncIterator[ConfluenceConnectionManager]:
    async with made(server.url) as wiki:
        yield wiki


@pytest.fixture
async def own(server: RawServer) -> AsyncIterator[ConfluenceConnectionManager]:
    async with made(server.url, deployment="data_center") as wiki:
        yield wiki


def storage(text: str) -> dict[str, Any]:
    return {"storage": {"value": text, "representation": "storage"}}


CLOUD_PAGE = {
    "id": "98",
    "status": "current",
    "title": "Plan",
    "spaceId": "7",
    "parentId": "90",
    "version": {"number": 4, "authorId": "5b10a"},
    "body": storage("<p>now</p>"),
    "_links": {"webui": "/spaces/APP/pages/98"},
}
OWN_PAGE = {
    "id": "98",
    "type": "page",
    "status": "current",
    "title": "Plan",
    "space": {"key": "APP"},
    "ancestors": [{"id": "1"}, {"id": "90"}],
    "version": {"number": 4, "by": {"displayName": "Mia"}},
    "body": storage("<p>now</p>"),
}


async def test_a_page_of_cloud_is_read(server, script, cloud):
    script.on("GET /wiki/api/v2/pages/98", reply(CLOUD_PAGE))
    page = await cloud.get_page("98")
    assert (page.title, page.space, page.parent_id, page.version) == ("Plan", "7", "90", 4)
    assert (page.body, page.raw["_links"]["webui"]) == ("<p>now</p>", "/spaces/APP/pages/98")
    assert server.seen[-1].target.endswith("?body-format=storage")


async def test_a_page_of_data_center_is_read(server, script, own):
    script.on("GET /wiki/rest/api/content/98", reply(OWN_PAGE))
    page = await own.get_page("98")
    assert (page.title, page.space, page.parent_id, page.version) == ("Plan", "APP", "90", 4)
    assert page.body == "<p>now</p>"


async def test_a_page_of_cloud_is_created_in_the_space_of_a_key(server, script, cloud):
    space = {"id": "7", "key": "APP", "name": "App"}
    script.on("GET /wiki/api/v2/spaces", reply({"results": [space], "_links": {}}))
    script.on("POST /wiki/api/v2/pages", reply(CLOUD_PAGE))
    await cloud.create_page("APP", "Plan", "<p>now</p>", parent_id="90")
    assert json.loads(server.seen[-1].body) == {
        "spaceId": "7",
        "status": "current",
        "title": "Plan",
        "parentId": "90",
        "body": {"value": "<p>now</p>", "representation": "storage"},
    }


async def test_a_page_of_data_center_is_created(server, script, own):
    script.on("POST /wiki/rest/api/content", reply(OWN_PAGE))
    await own.create_page("APP", "Plan", "<p>now</p>", parent_id="90")
    assert json.loads(server.seen[-1].body) == {
        "type": "page",
        "title": "Plan",
        "space": {"key": "APP"},
        "ancestors": [{"id": "90"}],
        "body": storage("<p>now</p>"),
    }


async def test_a_space_that_is_not_there_is_said_by_its_key(script, cloud):
    script.on("GET /wiki/api/v2/spaces", reply({"results": [], "_links": {}}))
    with pytest.raises(NotFoundError, match="no space 'NO'"):
        await cloud.create_page("NO", "Plan", "")


@pytest.mark.parametrize(("wiki", "path", "raw"), [
    ("cloud", "/wiki/api/v2/pages/98", CLOUD_PAGE),
    ("data_center", "/wiki/rest/api/content/98", OWN_PAGE),
])  # fmt: skip
async def test_a_change_is_of_the_version_that_was_read(server, script, wiki, path, raw):
    async with made(server.url, deployment=wiki) as manager:
        script.on(f"GET {path}", reply(raw))
        script.on(f"PUT {path}", reply({**raw, "version": {"number": 5}}), reply({}, 409))
        page = await manager.get_page("98")
        assert (await manager.update_page(page, title="New", message="why")).version == 5
        sent = json.loads(server.seen[-1].body)
        assert sent["version"] == {"number": 5, "message": "why"}
        assert sent["title"] == "New"
        assert "<p>now</p>" in json.dumps(sent["body"])
        with pytest.raises(ConflictError):
            await manager.update_page(page, title="Newer")


@pytest.mark.parametrize(("number", "error"), [(5, ConflictError), (4, RejectedError)])
async def test_a_refused_change_is_a_conflict_where_there_is_a_newer_version(
    script, cloud, number, error
):
    """The reference of Cloud knows 400 only, for whatever is wrong."""
    newer = {**CLOUD_PAGE, "version": {"number": number}}
    script.on("GET /wiki/api/v2/pages/98", reply(CLOUD_PAGE), reply(newer))
    script.on("PUT /wiki/api/v2/pages/98", reply({"errors": [{"title": "no"}]}, 400))
    page = await cloud.get_page("98")
    with pytest.raises(error) as told:
        await cloud.update_page(page, title="New")
    assert type(told.value) is error


async def test_a_change_whose_answer_is_lost_is_in_doubt_and_not_made_again(server, script, cloud):
    script.on("GET /wiki/api/v2/pages/98", reply(CLOUD_PAGE))
    script.on("PUT /wiki/api/v2/pages/98", b"", reply({}, 409))
    page = await cloud.get_page("98")
    with pytest.raises(OutcomeUnknownError):
        await cloud.update_page(page, body="<p>then</p>")


async def test_a_page_of_a_listing_is_not_written_back_without_its_body(server, script, cloud):
    listed = {"id": "98", "title": "Plan", "status": "current"}
    script.on("GET /wiki/api/v2/pages/1/children", reply({"results": [listed], "_links": {}}))
    page = await anext(cloud.children("1"))
    with pytest.raises(UnsupportedError, match="get_page"):
        await cloud.update_page(page, title="New")
    assert server.seen[-1].method == "GET"


async def test_a_page_is_deleted_once(server, script, cloud):
    script.on("DELETE /wiki/api/v2/pages/98", nothing(), reply({}, 404))
    await cloud.delete_page("98")
    with pytest.raises(NotFoundError):
        await cloud.delete_page("98")


async def test_a_listing_follows_the_query_of_its_next_link_and_nothing_else(server, script, cloud):
    away = "https://evil.example/wiki/api/v2/spaces?cursor=c2&limit=2"
    script.on(
        "GET /wiki/api/v2/spaces",
        reply({"results": [{"id": "1", "key": "A"}, {"id": "2", "key": "B"}],
               "_links": {"next": away}}),
        reply({"results": [{"id": "3", "key": "C"}], "_links": {}}),
    )  # fmt: skip
    assert [space.key async for space in cloud.spaces()] == ["A", "B", "C"]
    assert [seen.target for seen in server.seen[1:]] == [
        "/wiki/api/v2/spaces?limit=2",
        "/wiki/api/v2/spaces?limit=2&cursor=c2",
    ]


async def test_a_listing_of_data_center_goes_on_by_numbers(server, script, own):
    link = "/rest/api/space?limit=2&start=2"
    script.on(
        "GET /wiki/rest/api/space",
        reply({"results": [{"id": 1, "key": "A"}], "size": 1, "_links": {"next": link}}),
        reply({"results": [{"id": 2, "key": "B"}], "size": 1, "_links": {"self": "x"}}),
    )
    assert [space.id async for space in own.spaces()] == ["1", "2"]
    assert server.seen[-1].target == "/wiki/rest/api/space?limit=2&start=2"


async def test_a_listing_in_a_circle_ends(script, cloud):
    again = {"results": [], "_links": {"next": "http://[/x?limit=2"}}  # of it, the query counts
    script.on("GET /wiki/api/v2/spaces", reply(again))
    with pytest.raises(DataError, match="there already"):
        assert [space async for space in cloud.spaces()] == []


async def test_a_search_gives_what_it_found(server, script, cloud):
    page = {"content": {"id": "98", "type": "page", "title": "Plan"}, "excerpt": "the @@@hl@@@plan",
            "lastModified": "2026-01-02T03:04:05.000Z"}  # fmt: skip
    space = {"space": {"key": "APP"}, "title": "App", "entityType": "space", "excerpt": ""}
    script.on("GET /wiki/rest/api/search", reply({"results": [page, space], "_links": {}}))
    found = [hit async for hit in cloud.search('text ~ "plan" and type = page')]
    assert [(hit.id, hit.type, hit.title) for hit in found] == [
        ("98", "page", "Plan"),
        ("", "space", "App"),
    ]
    assert found[0].modified is not None
    assert "cql=text+~+%22plan%22+and+type+%3D+page" in server.seen[-1].target


async def test_a_search_goes_on_by_its_cursor_and_with_its_own_words(server, script, cloud):
    """The reference shows the query in the link as it is, and not percent-encoded."""
    cql = 'text ~ "a+b & c"'
    link = f"/rest/api/search?cql={cql}&limit=2&cursor=raNDoMsTRiNg"
    script.on(
        "GET /wiki/rest/api/search",
        reply({"results": [{"title": "one"}], "_links": {"next": link, "context": "/wiki"}}),
        reply({"results": [{"title": "two"}], "_links": {}}),
    )
    assert [hit.title async for hit in cloud.search(cql)] == ["one", "two"]
    assert [parse_qs(seen.target.partition("?")[2]) for seen in server.seen[1:]] == [
        {"cql": [cql], "limit": ["2"]},
        {"cql": [cql], "limit": ["2"], "cursor": ["raNDoMsTRiNg"]},
    ]


@pytest.fixture
def family(script: Script) -> dict[str, list[str]]:
    """Who is below whom; 3 says that 1 is below it."""
    family = {"1": ["2", "3"], "2": ["4"], "3": ["1", "5"], "4": [], "5": []}

    def children(seen: Seen) -> bytes:
        results = [
            {"id": each, "title": f"page {each}"} for each in family[seen.path.split("/")[5]]
        ]
        return reply({"results": results, "_links": {}})

    for each in family:
        script.on(f"GET /wiki/api/v2/pages/{each}/children", children)
    return family


@pytest.mark.usefixtures("family")
async def test_a_tree_is_walked_from_the_top_and_no_page_comes_twice(cloud):
    found = [(each.page.id, each.depth) async for each in cloud.tree("1")]
    assert found == [("2", 1), ("4", 2), ("3", 1), ("5", 2)]


@pytest.mark.usefixtures("family")
async def test_a_tree_is_not_walked_deeper_than_asked(server, cloud):
    assert [each.page.id async for each in cloud.tree("1", max_depth=1)] == ["2", "3"]
    assert len(server.seen) == 2


@pytest.mark.parametrize(("wiki", "path", "new"), [
    ("cloud", "/wiki/api/v2/pages/98/footer-comments", "/wiki/api/v2/footer-comments"),
    ("data_center", "/wiki/rest/api/content/98/child/comment", "/wiki/rest/api/content"),
])  # fmt: skip
async def test_comments_are_written_and_read(server, script, wiki, path, new):
    async with made(server.url, deployment=wiki) as manager:
        raw = {"id": "5", "version": {"authorId": "5b10a"}, "body": storage("<p>hi</p>")}
        script.on(f"GET {path}", reply({"results": [raw], "_links": {}}))
        script.on(f"POST {new}", reply(raw))
        assert (await manager.add_comment("98", "<p>hi</p>")).body == "<p>hi</p>"
        assert "98" in server.seen[-1].body.decode()
        assert [(each.author, each.body) async for each in manager.comments("98")] == [
            ("5b10a", "<p>hi</p>")
        ]


@pytest.mark.parametrize(("wiki", "listing", "content"), [
    ("cloud", "/wiki/api/v2/pages/98/attachments",
     "/wiki/rest/api/content/98/child/attachment/att1/download"),
    ("data_center", "/wiki/rest/api/content/98/child/attachment",
     "/wiki/download/attachments/98/a%20b.txt"),
])  # fmt: skip
async def test_files_are_added_listed_and_read(server, script, wiki, listing, content):
    async with made(server.url, deployment=wiki) as manager:
        raw = {"id": "att1", "title": "a b.txt", "mediaType": "text/plain", "fileSize": "4" * 5000}
        script.on(f"GET {listing}", reply({"results": [raw], "_links": {}}))
        script.on("POST /wiki/rest/api/content/98/child/attachment", reply({"results": [raw]}))
        script.on(f"GET {content}", answer(b"data"))
        attached = await manager.attach("98", Upload(b"data", "a b.txt"))
        assert attached.size_bytes == 0  # what no file has is not read
        assert server.seen[-1].headers["x-atlassian-token"] == "no-check"
        assert b'name="minorEdit"\r\n\r\ntrue\r\n' in server.seen[-1].body
        assert [each async for each in manager.attachments("98")] == [attached]
        assert b"".join([piece async for piece in manager.download(attached)]) == b"data"


@pytest.mark.parametrize(("wiki", "limit"), [("cloud", "250"), ("data_center", "1000")])
async def test_no_more_items_are_asked_for_than_the_interface_has_in_a_page(
    server, script, wiki, limit
):
    for path in ("/wiki/api/v2/spaces", "/wiki/rest/api/space"):
        script.on(f"GET {path}", reply({"results": [], "_links": {}}))
    async with made(server.url, deployment=wiki, page_size=1000) as manager:
        assert [each async for each in manager.spaces()] == []
    assert server.seen[-1].target.endswith(f"?limit={limit}")
