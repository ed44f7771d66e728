"""Confluence: Cloud by its REST interface 2, and 1 where that has more; Data Center by its own."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar

from infrastructure.connections.base import ConnectionType
from infrastructure.connections.external.atlassian import AtlassianManager, AtlassianSettings
from infrastructure.connections.external.atlassian_values import entries, mapping
from infrastructure.connections.external.base import ExternalRegistry
from infrastructure.connections.external.confluence.models import (
    Hit,
    Page,
    PageAttachment,
    PageComment,
    PageInTree,
    Space,
    attachment_of,
    comment_of,
    hit_of,
    page_of,
    space_of,
)
from infrastructure.connections.external.confluence.shapes import CLOUD, DATA_CENTER, Shapes
from infrastructure.connections.external.http.files import Upload
from infrastructure.connections.external.http.place import segment
from infrastructure.errors import (
    ConflictError,
    DataError,
    NotFoundError,
    RejectedError,
    UnsupportedError,
)

#: Cloud's reference wants it with each file: nobody is notified.
_QUIETLY = {"minorEdit": "true"}


class ConfluenceSettings(AtlassianSettings):
    """A block under `external.instances` with kind confluence; Cloud's `base_url` ends in /wiki."""

    kind: str = "confluence"


@ExternalRegistry.register(ConnectionType.CONFLUENCE)
class ConfluenceConnectionManager(AtlassianManager[PageAttachment]):
    """Pages, their trees, comments and files, and spaces of one Confluence."""

    Settings: ClassVar[type[ConfluenceSettings]] = ConfluenceSettings
    settings: ConfluenceSettings
    operations = frozenset(
        {"search", "get_page", "create_page", "update_page", "delete_page", "children", "tree"}
        | {"spaces", "comments", "add_comment", "attachments", "attach"}
    )

    async def search(self, cql: str) -> AsyncGenerator[Hit, None]:
        """What a query in CQL finds, such as `type = page AND text ~ "release"`."""
        async with aclosing(self._linked("rest/api/search", {"cql": cql})) as found:
            async for raw in found:
                yield hit_of(raw)

    async def get_page(self, page_id: str) -> Page:
        """One page with its body.

        Raises:
            NotFoundError: There is none, or it may not be seen.
        """
        path = f"{self._shapes.pages}/{segment(page_id)}"
        return page_of(await self._get(path, self._shapes.with_body), self.name)

    async def create_page(self, space: str, title: str, body: str, *, parent_id: str = "") -> Page:
        """Create a page.

        Args:
            space: The key of its space.
            title: Of it; a space has one page of a title.
            body: In storage format, which is XHTML: `<p>text</p>`.
            parent_id: The page it is put below; at the top when empty.

        Raises:
            NotFoundError: There is no such space.
            OutcomeUnknownError: It was sent, and may have been created.
        """
        given = await self._space_id(space) if self.is_cloud else space
        made = self._shapes.new_page(given, title, body, parent_id)
        return page_of(await self._post(self._shapes.pages, made), self.name)

    async def update_page(
        self, page: Page, *, title: str | None = None, body: str | None = None, message: str = ""
    ) -> Page:
        """Change a page on the basis of what was read, and give the new one.

        Args:
            page: As `get_page` gave it.
            title: The old one when None.
            body: In storage format; the old one when None.
            message: Shown in the history.

        Raises:
            ConflictError: Somebody changed it since it was read: read it again.
            UnsupportedError: There is no body to keep, or no version, since it is of a listing.
            OutcomeUnknownError: It was sent, and may have been changed.
        """
        content = page.body if body is None else body
        if content is None or not page.version:
            raise UnsupportedError(
                f"page {page.id} was not read whole", where=self.name, hint="Read it by get_page()."
            )
        changed = self._shapes.changed_page(page, title or page.title, content, message)
        path = f"{self._shapes.pages}/{segment(page.id)}"
        try:
            answer = await self._ask("PUT", path, json=changed, repeatable=False)
        except RejectedError as error:  # Cloud's reference has no status of its own for it
            if (await self.get_page(page.id)).version == page.version:
                raise
            raise ConflictError(
                f"page {page.id} was changed since it was read", where=self.name
            ) from error
        return page_of(mapping(answer.json(), self.name), self.name)

    async def delete_page(self, page_id: str) -> None:
        """Put a page into the trash.

        Raises:
            NotFoundError: There is none.
            OutcomeUnknownError: It was sent, and may be there already.
        """
        path = f"{self._shapes.pages}/{segment(page_id)}"
        await self._ask("DELETE", path, repeatable=False)

    async def children(self, page_id: str) -> AsyncGenerator[Page, None]:
        """The pages directly below one, without their bodies; not those in a folder of Cloud."""
        path = self._shapes.children.format(id=segment(page_id))
        async with aclosing(self._linked(path, {})) as found:
            async for raw in found:
                yield page_of(raw, self.name)

    async def tree(self, page_id: str, *, max_depth: int = 20) -> AsyncGenerator[PageInTree, None]:
        """The pages below one, each before those below it; no page comes twice.

        Args:
            page_id: Where to begin; it does not come itself.
            max_depth: Pages further down are not looked for.
        """
        seen = {page_id}
        waiting = [(1, page_id)]
        shown: dict[str, Page] = {}
        while waiting:
            depth, at = waiting.pop()
            if (page := shown.pop(at, None)) is not None:
                yield PageInTree(depth - 1, page)
            if depth > max_depth:
                continue
            below = [each async for each in self.children(at) if each.id not in seen]
            seen |= {each.id for each in below}
            shown |= {each.id: each for each in below}
            waiting += [(depth + 1, each.id) for each in reversed(below)]

    async def spaces(self) -> AsyncGenerator[Space, None]:
        """The spaces that may be seen."""
        async with aclosing(self._linked(self._shapes.spaces, {})) as found:
            async for raw in found:
                yield space_of(raw, self.name)

    async def comments(self, page_id: str) -> AsyncGenerator[PageComment, None]:
        """The comments below a page, without the answers to them."""
        path = self._shapes.comments.format(id=segment(page_id))
        async with aclosing(self._linked(path, self._shapes.with_body)) as found:
            async for raw in found:
                yield comment_of(raw, self.name)

    async def add_comment(self, page_id: str, body: str) -> PageComment:
        """Write a comment below a page, in storage format."""
        made = self._shapes.new_comment(page_id, body)
        return comment_of(await self._post(self._shapes.new_comments, made), self.name)

    async def attachments(self, page_id: str) -> AsyncGenerator[PageAttachment, None]:
        """The files of a page."""
        path = self._shapes.attachments.format(id=segment(page_id))
        async with aclosing(self._linked(path, {})) as found:
            async for raw in found:
                yield attachment_of(raw, page_id, self.name)

    async def attach(self, page_id: str, upload: Upload) -> PageAttachment:
        """Add a file to a page; nobody is notified.

        Raises:
            RejectedError: It has one of that name already.
        """
        path = f"rest/api/content/{segment(page_id)}/child/attachment"
        answer = await self._attach(path, upload, _QUIETLY)
        found = entries(mapping(answer, self.name), "results", self.name)
        if not found:
            raise DataError("the answer lists no attachment", where=self.name)
        return attachment_of(found[0], page_id, self.name)

    async def _ping(self) -> str:
        return await self._ping_at("rest/api/user/current")

    async def _space_id(self, key: str) -> str:
        found: dict[str, Any] = await self._get(self._shapes.spaces, {"keys": key, "limit": 1})
        spaces = entries(found, "results", self.name)
        if not spaces:
            raise NotFoundError(f"there is no space '{key}'", where=self.name)
        return space_of(spaces[0], self.name).id

    def _file(self, attachment: PageAttachment) -> str:
        return self._shapes.file.format(
            page=segment(attachment.page_id),
            id=segment(attachment.id),
            name=segment(attachment.filename),
        )

    @property
    def _shapes(self) -> Shapes:
        return CLOUD if self.is_cloud else DATA_CENTER
