"""Jira Data Center, as the stand-in jira820 speaks it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from infrastructure.connections.external.http.files import Upload
from infrastructure.connections.external.jira import JiraConnectionManager, JiraSettings
from infrastructure.errors import NotFoundError, RejectedError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.jira import JiraServer
from tests.contracts.connection_contract import ConnectionContract

PROJECT = JiraServer.project


def made(url: str, **changed: Any) -> JiraConnectionManager:
    found = {
        "base_url": url,
        "allow_private": True,
        "deployment": "data_center",
        "token": "a-personal-token",
        **changed,
    }
    return JiraConnectionManager(JiraSettings.model_validate(found), name="external.instances.jira")


class TestJiraConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, jira: LocalServer) -> JiraConnectionManager:
        return made(jira.url)


@pytest.fixture
async def desk(jira: LocalServer) -> AsyncIterator[JiraConnectionManager]:
    async with made(jira.url) as desk:
        yield desk


@pytest.fixture
async def key(desk: JiraConnectionManager) -> str:
    return await desk.create_issue(
        PROJECT, "Lamp is dark", type="Bug", description="since *Monday*", labels=["lamp"]
    )


async def test_health_says_who_it_is(desk):
    assert (await desk.health_check()).detail == "jira answered as Administrator"


async def test_an_issue_is_created_and_read(desk, key):
    issue = await desk.get_issue(key)
    assert (issue.key, issue.project, issue.type, issue.status) == (key, PROJECT, "Bug", "Open")
    assert (issue.summary, issue.description) == ("Lamp is dark", "since *Monday*")
    assert issue.labels == ("lamp",)
    assert issue.created is not None
    assert issue.raw["fields"]["summary"] == "Lamp is dark"


async def test_what_is_asked_for_alone_is_read(desk, key):
    issue = await desk.get_issue(key, fields=["summary"])
    assert (issue.summary, issue.status, issue.labels) == ("Lamp is dark", "", ())


async def test_an_issue_that_is_not_there_is_said_by_name(desk):
    with pytest.raises(NotFoundError, match="Issue Does Not Exist: NO-1"):
        await desk.get_issue("NO-1")


async def test_a_wrong_field_is_told(desk):
    with pytest.raises(RejectedError, match="Unknown project: NOWHERE"):
        await desk.create_issue("NOWHERE", "x")


async def test_a_search_reads_page_after_page_to_the_end(jira):
    async with made(jira.url, page_size=7) as few, made(jira.url, page_size=1000) as many:
        jql = f"project = {PROJECT} AND issuetype = Epic"
        keys = [issue.key async for issue in few.search(jql)]
        assert keys == [issue.key async for issue in many.search(jql)]
        assert len(keys) == len(set(keys)) > 7


async def test_a_search_left_early_asks_for_no_more(desk):
    found = desk.search(f"project = {PROJECT}")
    assert (await anext(found)).project == PROJECT
    await found.aclose()
    assert desk.drain.in_flight == 0


async def test_fields_are_set_and_the_others_stay(desk, key):
    await desk.update_issue(key, summary="Lamp is bright", fields={"priority": {"name": "High"}})
    issue = await desk.get_issue(key)
    assert (issue.summary, issue.priority) == ("Lamp is bright", "High")
    assert issue.description == "since *Monday*"


@pytest.mark.parametrize("name", ["To In Progress", "to in progress", "In Progress"])
async def test_a_step_is_taken_by_its_name_or_by_where_it_leads(desk, key, name):
    await desk.transition(key, name, comment="on it")
    assert (await desk.get_issue(key)).status == "In Progress"
    assert [comment.text async for comment in desk.comments(key)] == ["on it"]


async def test_a_step_that_is_not_possible_lists_those_that_are(desk, key):
    with pytest.raises(RejectedError, match=rf"{key} has no transition 'Fly' now.*'To Done'"):
        await desk.transition(key, "Fly")


async def test_comments_are_written_and_read_over_several_pages(jira, key):
    async with made(jira.url, page_size=2) as desk:
        for number in range(5):
            assert (await desk.add_comment(key, f"word {number}")).text == f"word {number}"
        texts = [comment.text async for comment in desk.comments(key)]
    # the stand-in has an order of its own: the newest first, by whole seconds
    assert sorted(texts) == [f"word {number}" for number in range(5)]


async def test_a_file_is_added_and_comes_back(desk, key, tmp_path: Path):
    content = bytes(range(256)) * 1000
    source, copy = tmp_path / "a file.bin", tmp_path / "copy.bin"
    source.write_bytes(content)
    attachment = await desk.attach(key, Upload(source))
    assert (attachment.filename, attachment.size_bytes) == ("a file.bin", len(content))
    assert b"".join([piece async for piece in desk.download(attachment)]) == content
    assert await desk.download_to(attachment, copy) == len(content)
    assert copy.read_bytes() == content


async def test_projects_are_listed(desk):
    assert [project.key async for project in desk.projects()] == [PROJECT]


def test_a_user_without_a_token_is_an_error_of_the_settings():
    with pytest.raises(ValidationError, match="`user` needs `token`"):
        JiraSettings(base_url="https://jira.test", user="ann")
