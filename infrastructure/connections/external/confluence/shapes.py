"""Where Cloud and Data Center have things, and how they want them written."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from infrastructure.connections.external.confluence.models import Page


class Shapes(ABC):
    """The paths and bodies of one of the two interfaces; `{id}` is that of a page.

    Attributes:
        pages: Where pages are, by id below it.
        children: The pages below one.
        spaces: All spaces.
        comments: Those of a page.
        new_comments: Where one is written.
        attachments: The files of a page.
        file: The content of one, by `{page}`, `{id}` and `{name}`.
        with_body: Asks for the body and the version.
    """

    pages: ClassVar[str]
    children: ClassVar[str]
    spaces: ClassVar[str]
    comments: ClassVar[str]
    new_comments: ClassVar[str]
    attachments: ClassVar[str]
    file: ClassVar[str]
    with_body: ClassVar[dict[str, str]]

    @abstractmethod
    def new_page(self, space: str, title: str, body: str, parent_id: str) -> dict[str, Any]:
        """What creates a page."""

    @abstractmethod
    def changed_page(self, page: Page, title: str, body: str, message: str) -> dict[str, Any]:
        """What makes the next version of a page."""

    @abstractmethod
    def new_comment(self, page_id: str, body: str) -> dict[str, Any]:
        """What writes a comment."""


class _Cloud(Shapes):
    pages = "api/v2/pages"
    children = "api/v2/pages/{id}/children"
    spaces = "api/v2/spaces"
    comments = "api/v2/pages/{id}/footer-comments"
    new_comments = "api/v2/footer-comments"
    attachments = "api/v2/pages/{id}/attachments"
    file = "rest/api/content/{page}/child/attachment/{id}/download"
    with_body: ClassVar[dict[str, str]] = {"body-format": "storage"}

    def new_page(self, space: str, title: str, body: str, parent_id: str) -> dict[str, Any]:
        made = {"spaceId": space, "status": "current", "title": title, "body": _body(body)}
        return {**made, "parentId": parent_id} if parent_id else made

    def changed_page(self, page: Page, title: str, body: str, message: str) -> dict[str, Any]:
        version = {"number": page.version + 1, "message": message}
        made = {"id": page.id, "status": page.status or "current", "title": title}
        return {**made, "body": _body(body), "version": version}

    def new_comment(self, page_id: str, body: str) -> dict[str, Any]:
        return {"pageId": page_id, "body": _body(body)}


class _DataCenter(Shapes):
    pages = "rest/api/content"
    children = "rest/api/content/{id}/child/page"
    spaces = "rest/api/space"
    comments = "rest/api/content/{id}/child/comment"
    new_comments = "rest/api/content"
    attachments = "rest/api/content/{id}/child/attachment"
    file = "download/attachments/{page}/{name}"
    with_body: ClassVar[dict[str, str]] = {"expand": "body.storage,version,space,ancestors"}

    def new_page(self, space: str, title: str, body: str, parent_id: str) -> dict[str, Any]:
        made = {"type": "page", "title": title, "space": {"key": space}}
        above = {"ancestors": [{"id": parent_id}]} if parent_id else {}
        return {**made, **above, "body": {"storage": _body(body)}}

    def changed_page(self, page: Page, title: str, body: str, message: str) -> dict[str, Any]:
        version = {"number": page.version + 1, "message": message}
        made = {"id": page.id, "type": "page", "title": title, "version": version}
        return {**made, "body": {"storage": _body(body)}}

    def new_comment(self, page_id: str, body: str) -> dict[str, Any]:
        container = {"id": page_id, "type": "page"}
        return {"type": "comment", "container": container, "body": {"storage": _body(body)}}


def _body(text: str) -> dict[str, str]:
    return {"value": text, "representation": "storage"}


CLOUD: Shapes = _Cloud()
DATA_CENTER: Shapes = _DataCenter()
