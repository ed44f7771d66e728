"""Jira Cloud, by answers shaped as Atlassian's reference of the REST interface 3 has them.

Held against the reference, as clients generated from its OpenAPI document show it: `search/jql`
(`nextPageToken`, `isLast`), the comments of an issue, `project/search`, transitions and their body,
uploads and their header, the content of files, the document format, `Retry-After`. The answer to
nobody with its header is what users of it report. Not held against anything: texts of refusals.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from infrastructure.connections.external.http.files import Upload
from infrastructure.connections.external.jira import JiraConnectionManager, JiraSettings
from infrastructure.connections.external.jira.adf import to_document
from infrastructure.errors import AuthenticationError, DataError, OutcomeUnknownError
from tests.infrastructure.connections.external.atlassian_server import Script, nothing, reply
from tests.infrastructure.connections.external.raw_server import RawServer, Seen, answer

MYSELF = {"accountId": "5b10a", "displayName": "Mia Krystof", "emailAddress": "mia@example.com"}


def issue(key: str, **fields: Any) -> dict[str, Any]:
    return {"id": "10002", "key": key, "self": "https://x/rest/api/3/issue/10002", "fields": fields}


@pytest.fixture
def script() -> Script:
    script = Script()
    script.on("GET /rest/api/3/myself", reply(MYSELF))
    return script


@pytest.fixture
async def server(script: Script) -> AsyncIterator[RawServer]:
    async with RawServer(script) as server:
        yield server


@pytest.fixture
async def desk(server: RawServer) -> AsyncIterator[JiraConnectionManager]:
    settings = JiraSettings.model_validate(
        {
            "base_url": server.url,
            "allow_private": True,
            "user": "mia@example.com",
            "token": "api-token",
            "page_size": 2,
        }
    )
    async with JiraConnectionManager(settings, name="external.instances.jira") as desk:
        yield desk
        assert (await desk.health_check()).detail == "jira answered as Mia Krystof"


async def test_an_email_and_an_api_token_are_sent_as_basic(server, desk):
    assert server.seen[0].headers["authorization"] == "Basic bWlhQGV4YW1wbGUuY29tOmFwaS10b2tlbg=="


async def test_a_search_follows_the_token_of_each_page(server, script, desk):
    script.on(
        "POST /rest/api/3/search/jql",
        reply({"issues": [issue("A-1"), issue("A-2")], "nextPageToken": "t-2", "isLast": False}),
        reply({"issues": [issue("A-3")], "isLast": True}),
    )
    assert [found.key async for found in desk.search("project = A")] == ["A-1", "A-2", "A-3"]
    first, second = (json.loads(seen.body) for seen in server.seen[1:])
    assert (first["jql"], first["maxResults"]) == ("project = A", 2)
    assert "summary" in first["fields"]
    assert "nextPageToken" not in first
    assert second["nextPageToken"] == "t-2"


@pytest.mark.parametrize("tokens", ["t", "tu"])
async def test_a_search_that_goes_in_a_circle_ends(server, script, desk, tokens):
    pages = [reply({"issues": [], "nextPageToken": each}) for each in 3 * tokens]
    script.on("POST /rest/api/3/search/jql", *pages, reply({"issues": []}))
    with pytest.raises(DataError, match="there already"):
        assert [found async for found in desk.search("x")] == []
    assert len(server.seen) == 2 + len(tokens)


async def test_a_search_is_repeated_when_its_answer_is_lost(server, script, desk):
    script.on("POST /rest/api/3/search/jql", b"", reply({"issues": [issue("A-1")]}))
    assert [found.key async for found in desk.search("x")] == ["A-1"]


async def test_creating_is_not(server, script, desk):
    script.on("POST /rest/api/3/issue", b"", reply({"id": "1", "key": "A-1"}, 201))
    with pytest.raises(OutcomeUnknownError):
        await desk.create_issue("A", "x")
    assert len(server.seen) == 2


async def test_creating_waits_as_long_as_it_is_asked_to(server, script, desk):
    limited = reply({"errorMessages": ["Rate limit exceeded"]}, 429, retry_after="0")
    script.on("POST /rest/api/3/issue", limited, reply({"id": "1", "key": "A-1"}, 201))
    assert await desk.create_issue("A", "x", description="a\nb") == "A-1"
    assert json.loads(server.seen[-1].body)["fields"]["description"] == to_document("a\nb")


async def test_a_description_is_read_as_text(script, desk):
    fields = {"description": to_document("one\n\ntwo"), "status": {"name": "To Do"}}
    script.on("GET /rest/api/3/issue/A-1", reply(issue("A-1", **fields)))
    found = await desk.get_issue("A-1")
    assert (found.description, found.status) == ("one\n\ntwo", "To Do")


async def test_a_comment_is_written_and_read_as_text(server, script, desk):
    made = {"id": "10", "author": MYSELF, "body": to_document("hello")}
    script.on("POST /rest/api/3/issue/A-1/comment", reply(made, 201))
    comment = await desk.add_comment("A-1", "hello")
    assert (comment.author, comment.text) == ("Mia Krystof", "hello")
    assert json.loads(server.seen[-1].body) == {"body": to_document("hello")}


async def test_comments_are_read_page_after_page_the_oldest_first(server, script, desk):
    def paged(seen: Seen) -> bytes:
        at = 2 if "startAt=2&" in seen.target else 0
        made = [{"id": str(each), "body": to_document(f"word {each}")} for each in range(3)]
        return reply({"startAt": at, "maxResults": 2, "total": 3, "comments": made[at : at + 2]})

    script.on("GET /rest/api/3/issue/A-1/comment", paged)
    texts = [comment.text async for comment in desk.comments("A-1")]
    assert texts == ["word 0", "word 1", "word 2"]
    assert all("orderBy=created" in seen.target for seen in server.seen[1:])


async def test_a_step_takes_its_fields_and_its_comment_along(server, script, desk):
    path = "/rest/api/3/issue/A-1/transitions"
    steps = [{"id": "5", "name": "Resolve", "to": {"name": "Done"}}]
    script.on(f"GET {path}", reply({"transitions": steps}))
    script.on(f"POST {path}", nothing())
    await desk.transition("A-1", "done", fields={"resolution": {"name": "Fixed"}}, comment="ok")
    assert json.loads(server.seen[-1].body) == {
        "transition": {"id": "5"},
        "fields": {"resolution": {"name": "Fixed"}},
        "update": {"comment": [{"add": {"body": to_document("ok")}}]},
    }


async def test_projects_are_listed_page_after_page(server, script, desk):
    def paged(seen: Seen) -> bytes:
        is_first = "startAt=0&" in seen.target
        keys = ["A", "B"] if is_first else ["C"]
        values = [{"id": key, "key": key, "name": key} for key in keys]
        return reply({"values": values, "isLast": not is_first, "total": 3})

    script.on("GET /rest/api/3/project/search", paged)
    assert [project.key async for project in desk.projects()] == ["A", "B", "C"]


async def test_a_file_is_uploaded_past_the_check_and_comes_from_the_host_of_media(
    server, script, desk
):
    async with RawServer(lambda _: answer(b"content")) as media:
        made = {"id": "10000", "filename": "a.txt", "mimeType": "text/plain", "size": 7}
        script.on("POST /rest/api/3/issue/A-1/attachments", reply([made]))
        at = f"{media.url}/file/1?token=signed"
        script.on("GET /rest/api/3/attachment/content/10000", answer(status=303, location=at))
        attachment = await desk.attach("A-1", Upload(b"content", "a.txt"))
        assert server.seen[-1].headers["x-atlassian-token"] == "no-check"
        assert b"".join([piece async for piece in desk.download(attachment)]) == b"content"
        assert media.seen[0].target == "/file/1?token=signed"
        assert "authorization" not in media.seen[0].headers


async def test_a_key_is_one_segment_of_a_path(server, desk):
    with pytest.raises(Exception, match="no name in a path"):
        await desk.get_issue("../../admin")
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [[], {"issues": 1}, {"issues": [1]}, {"issues": [{"id": "1"}]}])
async def test_an_answer_of_another_shape_is_a_data_error(script, desk, body):
    script.on("POST /rest/api/3/search/jql", reply(body))
    with pytest.raises(DataError):
        assert [found async for found in desk.search("x")] == []


@pytest.mark.parametrize("status", [200, 404])
async def test_an_answer_as_to_nobody_is_no_answer_where_a_token_was_sent(script, desk, status):
    """With a token that has expired, searches find nothing and issues are not there."""
    nobody = reply({"issues": []}, status, x_seraph_loginreason="AUTHENTICATED_FAILED")
    script.on("POST /rest/api/3/search/jql", nobody)
    with pytest.raises(AuthenticationError, match="credentials"):
        assert [found async for found in desk.search("x")] == []


async def test_a_token_that_expired_is_asked_for_anew(server, script, desk):
    desk.credentials = lambda: {"user": "mia@example.com", "token": "new-token"}
    nobody = reply({"issues": []}, x_seraph_loginreason="AUTHENTICATED_FAILED")
    known = reply({"issues": [issue("A-1")]}, x_seraph_loginreason="OK")
    script.on("POST /rest/api/3/search/jql", nobody, known)
    assert [found.key async for found in desk.search("x")] == ["A-1"]
    assert server.seen[-1].headers["authorization"] != server.seen[-2].headers["authorization"]


async def test_what_was_created_as_nobody_is_not_created_again(server, script, desk):
    desk.credentials = lambda: {"user": "mia@example.com", "token": "new-token"}
    created = {"id": "1", "key": "A-1"}
    nobody = reply(created, 201, x_seraph_loginreason="AUTHENTICATED_FAILED")
    script.on("POST /rest/api/3/issue", nobody)
    assert await desk.create_issue("A", "x") == "A-1"
    assert [seen.path for seen in server.seen].count("/rest/api/3/issue") == 1
