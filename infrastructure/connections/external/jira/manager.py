"""Jira: Cloud by its REST interface 3, Data Center by 2."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar
from urllib.parse import quote

from infrastructure.connections.base import ConnectionType
from infrastructure.connections.external.atlassian import (
    AtlassianManager,
    AtlassianSettings,
    Items,
    by_token,
)
from infrastructure.connections.external.atlassian_values import entries, named
from infrastructure.connections.external.base import ExternalRegistry
from infrastructure.connections.external.http.files import Upload
from infrastructure.connections.external.http.place import segment
from infrastructure.connections.external.jira.adf import to_document
from infrastructure.connections.external.jira.models import (
    Attachment,
    Comment,
    Issue,
    Project,
    Transition,
    attachment_of,
    chosen,
    comment_of,
    issue_of,
    project_of,
    transition_of,
)
from infrastructure.errors import DataError

#: The fields an `Issue` is made of.
FIELDS = (
    *("assignee", "created", "description", "issuetype", "labels", "priority", "project"),
    *("reporter", "status", "summary", "updated"),
)


class JiraSettings(AtlassianSettings):
    """A block under `external.instances` with kind jira."""

    kind: str = "jira"


@ExternalRegistry.register(ConnectionType.JIRA)
class JiraConnectionManager(AtlassianManager[Attachment]):
    """Issues, comments, attachments and projects of one Jira."""

    Settings: ClassVar[type[JiraSettings]] = JiraSettings
    settings: JiraSettings
    operations = frozenset(
        {"search", "get_issue", "create_issue", "update_issue", "transition", "transitions"}
        | {"add_comment", "comments", "attach", "projects"}
    )

    async def search(
        self, jql: str, *, fields: Sequence[str] = FIELDS
    ) -> AsyncGenerator[Issue, None]:
        """The issues that a query in JQL finds, `page_size` a request.

        Args:
            jql: Such as `project = APP AND status = Open ORDER BY created`; Cloud wants it to
                narrow by something.
            fields: What is asked for; `*all` for everything.
        """
        async with aclosing(self._found(jql, fields)) as issues:
            async for raw in issues:
                yield issue_of(raw, self.name)

    async def get_issue(self, key: str, *, fields: Sequence[str] = ("*all",)) -> Issue:
        """One issue.

        Raises:
            NotFoundError: There is none, or it may not be seen.
        """
        raw = await self._get(self._issue(key), {"fields": ",".join(fields)})
        return issue_of(raw, self.name)

    async def create_issue(
        self,
        project: str,
        summary: str,
        *,
        type: str = "Task",
        description: str = "",
        labels: Sequence[str] = (),
        fields: Mapping[str, Any] | None = None,
    ) -> str:
        """Create an issue and give its key.

        Args:
            project: The key of the project.
            summary: Its title.
            type: The name of its type.
            description: Plain text on Cloud, Jira's markup on Data Center.
            labels: Words without spaces.
            fields: Others, as Jira has them: `{"priority": {"name": "High"}}`.

        Raises:
            RejectedError: A field is missing or wrong; the text says which.
            OutcomeUnknownError: It was sent, and may have been created.
        """
        given: dict[str, Any] = {
            "project": {"key": project},
            "summary": summary,
            "issuetype": {"name": type},
        }
        if description:
            given["description"] = self._written(description)
        if labels:
            given["labels"] = list(labels)
        found = await self._post(f"{self._api}/issue", {"fields": {**given, **(fields or {})}})
        return named(found, "key", self.name)

    async def update_issue(
        self,
        key: str,
        *,
        summary: str | None = None,
        description: str | None = None,
        labels: Sequence[str] | None = None,
        fields: Mapping[str, Any] | None = None,
        update: Mapping[str, Any] | None = None,
    ) -> None:
        """Set fields of an issue; those that are None stay.

        Args:
            key: Of the issue.
            summary: Its title.
            description: See `create_issue`.
            labels: All of them.
            fields: Others, as Jira has them.
            update: Changes rather than values: `{"labels": [{"add": "late"}]}`.
        """
        given: dict[str, Any] = dict(fields or {})
        if summary is not None:
            given["summary"] = summary
        if description is not None:
            given["description"] = self._written(description)
        if labels is not None:
            given["labels"] = list(labels)
        body = {"fields": given, "update": update} if update else {"fields": given}
        await self._ask("PUT", self._issue(key), json=body, repeatable=not update)

    async def transitions(self, key: str) -> list[Transition]:
        """The steps of the workflow that the issue can take now."""
        found = await self._get(f"{self._issue(key)}/transitions")
        return [transition_of(each, self.name) for each in entries(found, "transitions", self.name)]

    async def transition(
        self, key: str, name: str, *, fields: Mapping[str, Any] | None = None, comment: str = ""
    ) -> None:
        """Take a step of the workflow.

        Args:
            key: Of the issue.
            name: Of the step, or of the status it leads to where one step does; in any case.
            fields: What its screen asks for, as Jira has them: `{"resolution": {"name": "Done"}}`.
            comment: Written with it.

        Raises:
            RejectedError: There is no such step now; the text lists those there are.
        """
        step = chosen(await self.transitions(key), name, key, self.name)
        body: dict[str, Any] = {"transition": {"id": step.id}}
        if fields:
            body["fields"] = dict(fields)
        if comment:
            body["update"] = {"comment": [{"add": {"body": self._written(comment)}}]}
        await self._ask("POST", f"{self._issue(key)}/transitions", json=body)

    async def add_comment(self, key: str, text: str) -> Comment:
        """Write a comment: plain text on Cloud, Jira's markup on Data Center."""
        body = {"body": self._written(text)}
        return comment_of(await self._post(f"{self._issue(key)}/comment", body), self.name)

    async def comments(self, key: str) -> AsyncGenerator[Comment, None]:
        """The comments of an issue, the oldest first."""
        path = f"{self._issue(key)}/comment"
        order = {"orderBy": "created"}
        async with aclosing(self._counted(path, "comments", order)) as found:
            async for raw in found:
                yield comment_of(raw, self.name)

    async def attach(self, key: str, upload: Upload) -> Attachment:
        """Add a file to an issue."""
        found = await self._attach(f"{self._issue(key)}/attachments", upload)
        if not isinstance(found, list) or not found or not isinstance(found[0], dict):
            raise DataError("the answer lists no attachment", where=self.name)
        return attachment_of(found[0], self.name)

    async def projects(self) -> AsyncGenerator[Project, None]:
        """The projects that may be seen."""
        if not self.is_cloud:
            found = (await self._ask("GET", f"{self._api}/project")).json()
            for raw in entries({"projects": found}, "projects", self.name):
                yield project_of(raw, self.name)
            return
        path = f"{self._api}/project/search"
        async with aclosing(self._counted(path, "values", {})) as pages:
            async for raw in pages:
                yield project_of(raw, self.name)

    def _found(self, jql: str, fields: Sequence[str]) -> Items:
        if not self.is_cloud:
            params = {"jql": jql, "fields": ",".join(fields)}
            return self._counted(f"{self._api}/search", "issues", params)
        asked = {"jql": jql, "fields": list(fields), "maxResults": self.settings.page_size}
        return self._listing(f"{self._api}/search/jql", "issues", asked, by_token, method="POST")

    async def _ping(self) -> str:
        return await self._ping_at(f"{self._api}/myself")

    @property
    def _api(self) -> str:
        return "rest/api/3" if self.is_cloud else "rest/api/2"

    def _issue(self, key: str) -> str:
        return f"{self._api}/issue/{segment(key)}"

    def _file(self, attachment: Attachment) -> str:
        if self.is_cloud:
            return f"{self._api}/attachment/content/{segment(attachment.id)}"
        # the address it gives is that of its own settings, which need not be ours
        return f"secure/attachment/{segment(attachment.id)}/{quote(attachment.filename, safe='')}"

    def _written(self, text: str) -> Any:
        return to_document(text) if self.is_cloud else text
