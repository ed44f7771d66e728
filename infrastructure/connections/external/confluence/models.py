"""What Confluence gives: the fields that are asked for most, and everything else in `raw`.

Cloud's interface 2 and the older one of Data Center shape them differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infrastructure.connections.external.atlassian_values import (
    moment_at,
    named,
    number_at,
    text_at,
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        space: The id of its space on Cloud, the key on Data Center.
        version: What a change of it is based on; 0 where it was not read.
        parent_id: Empty at the top of a space, and where it was not read.
        body: In Confluence's storage format; None where it was not read, as in listings.
    """

    id: str
    title: str
    status: str
    space: str
    version: int
    parent_id: str
    body: str | None = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageInTree:
    """A page below another.

    Attributes:
        depth: 1 for a child, 2 for its children.
    """

    depth: int
    page: Page


@dataclass(frozen=True, slots=True)
class Space:
    """A space."""

    id: str
    key: str
    name: str
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a search has found: a page, a comment, a space or another thing.

    Attributes:
        id: Of the content; empty where it is none.
        excerpt: As Confluence gives it, with its marks around the words found.
    """

    id: str
    type: str
    title: str
    excerpt: str
    modified: datetime | None
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageComment:
    """A comment below a page.

    Attributes:
        author: An account id on Cloud, a name on Data Center.
        body: In Confluence's storage format.
    """

    id: str
    author: str
    body: str
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageAttachment:
    """A file of a page."""

    id: str
    page_id: str
    filename: str
    size_bytes: int
    content_type: str
    raw: Mapping[str, Any] = field(repr=False)


def page_of(raw: Mapping[str, Any], where: str) -> Page:
    """A page of what Confluence gave."""
    ancestors = raw.get("ancestors")
    parent = ancestors[-1] if isinstance(ancestors, list) and ancestors else None
    return Page(
        id=named(raw, "id", where),
        title=text_at(raw, "title"),
        status=text_at(raw, "status"),
        space=text_at(raw, "spaceId") or text_at(raw, "space", "key"),
        version=number_at(raw, "version", "number"),
        parent_id=text_at(raw, "parentId") or text_at(parent, "id"),
        body=_body_of(raw),
        raw=raw,
    )


def space_of(raw: Mapping[str, Any], where: str) -> Space:
    """A space of what Confluence gave."""
    return Space(
        id=text_at(raw, "id"), key=named(raw, "key", where), name=text_at(raw, "name"), raw=raw
    )


def hit_of(raw: Mapping[str, Any]) -> Hit:
    """A result of a search."""
    return Hit(
        id=text_at(raw, "content", "id"),
        type=text_at(raw, "content", "type") or text_at(raw, "entityType"),
        title=text_at(raw, "content", "title") or text_at(raw, "title"),
        excerpt=text_at(raw, "excerpt"),
        modified=moment_at(raw, "lastModified"),
        raw=raw,
    )


def comment_of(raw: Mapping[str, Any], where: str) -> PageComment:
    """A comment of what Confluence gave."""
    return PageComment(
        id=named(raw, "id", where),
        author=text_at(raw, "version", "authorId") or text_at(raw, "version", "by", "displayName"),
        body=_body_of(raw) or "",
        raw=raw,
    )


def attachment_of(raw: Mapping[str, Any], page_id: str, where: str) -> PageAttachment:
    """An attachment of what Confluence gave."""
    return PageAttachment(
        id=named(raw, "id", where),
        page_id=page_id,
        filename=text_at(raw, "title"),
        size_bytes=number_at(raw, "fileSize") or number_at(raw, "extensions", "fileSize"),
        content_type=text_at(raw, "mediaType") or text_at(raw, "extensions", "mediaType"),
        raw=raw,
    )


def _body_of(raw: Mapping[str, Any]) -> str | None:
    body = raw.get("body")
    storage = body.get("storage") if isinstance(body, dict) else None
    value = storage.get("value") if isinstance(storage, dict) else None
    return value if isinstance(value, str) else None
