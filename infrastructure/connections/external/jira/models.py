"""What Jira gives: the fields that are asked for most, and everything else in `raw`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infrastructure.connections.external.atlassian_values import (
    moment_at,
    named,
    number_at,
    text_at,
)
from infrastructure.connections.external.jira.adf import to_text
from infrastructure.errors import RejectedError


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue; what was not asked for, or is not set, is empty.

    Attributes:
        description: As plain text on Cloud, in Jira's own markup on Data Center.
        raw: As Jira gave it; fields of one's own are in `raw["fields"]`.
    """

    key: str
    id: str
    project: str
    type: str
    status: str
    summary: str
    description: str
    priority: str
    assignee: str
    reporter: str
    labels: tuple[str, ...]
    created: datetime | None
    updated: datetime | None
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; its text as an issue's description."""

    id: str
    author: str
    text: str
    created: datetime | None
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an issue."""

    id: str
    filename: str
    size_bytes: int
    content_type: str
    created: datetime | None
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """A project."""

    key: str
    id: str
    name: str
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transition:
    """A step of the workflow that an issue can take now."""

    id: str
    name: str
    to_status: str
    raw: Mapping[str, Any] = field(repr=False)


def issue_of(raw: Mapping[str, Any], where: str) -> Issue:
    """An issue of what Jira gave.

    Raises:
        DataError: It has no key.
    """
    fields = raw.get("fields")
    labels = fields.get("labels") if isinstance(fields, dict) else None
    return Issue(
        key=named(raw, "key", where),
        id=text_at(raw, "id"),
        project=text_at(fields, "project", "key"),
        type=text_at(fields, "issuetype", "name"),
        status=text_at(fields, "status", "name"),
        summary=text_at(fields, "summary"),
        description=to_text(fields.get("description")) if isinstance(fields, dict) else "",
        priority=text_at(fields, "priority", "name"),
        assignee=text_at(fields, "assignee", "displayName"),
        reporter=text_at(fields, "reporter", "displayName"),
        labels=tuple(str(each) for each in labels) if isinstance(labels, list) else (),
        created=moment_at(fields, "created"),
        updated=moment_at(fields, "updated"),
        raw=raw,
    )


def comment_of(raw: Mapping[str, Any], where: str) -> Comment:
    """A comment of what Jira gave."""
    return Comment(
        id=named(raw, "id", where),
        author=text_at(raw, "author", "displayName"),
        text=to_text(raw.get("body")),
        created=moment_at(raw, "created"),
        raw=raw,
    )


def attachment_of(raw: Mapping[str, Any], where: str) -> Attachment:
    """An attachment of what Jira gave."""
    return Attachment(
        id=named(raw, "id", where),
        filename=text_at(raw, "filename"),
        size_bytes=number_at(raw, "size"),
        content_type=text_at(raw, "mimeType"),
        created=moment_at(raw, "created"),
        raw=raw,
    )


def project_of(raw: Mapping[str, Any], where: str) -> Project:
    """A project of what Jira gave."""
    return Project(
        key=named(raw, "key", where), id=text_at(raw, "id"), name=text_at(raw, "name"), raw=raw
    )


def transition_of(raw: Mapping[str, Any], where: str) -> Transition:
    """A transition of what Jira gave."""
    return Transition(
        id=named(raw, "id", where),
        name=text_at(raw, "name"),
        to_status=text_at(raw, "to", "name"),
        raw=raw,
    )


def chosen(steps: Sequence[Transition], name: str, key: str, where: str) -> Transition:
    """The step of that name, else the one that leads to that status; in any case.

    Raises:
        RejectedError: There is none, or more than one; those there are are listed.
    """
    wanted = name.casefold()
    by_name = [step for step in steps if step.name.casefold() == wanted]
    by_status = [step for step in steps if step.to_status.casefold() == wanted]
    for found in (by_name, by_status):
        if len(found) == 1:
            return found[0]
    possible = ", ".join(f"'{each.name}' (to {each.to_status})" for each in steps) or "none"
    word = "more than one" if by_name or by_status else "no"
    raise RejectedError(
        f"{key} has {word} transition '{name}' now",
        where=where,
        hint=f"Possible transitions: {possible}.",
    )
