"""Confluence: Cloud by its REST interface 2, and 1 where that has more; Data Center by its own."""

from infrastructure.connections.external.confluence.manager import (
    ConfluenceConnectionManager,
    ConfluenceSettings,
)
from infrastructure.connections.external.confluence.models import (
    Hit,
    Page,
    PageAttachment,
    PageComment,
    PageInTree,
    Space,
)
from infrastructure.connections.external.http.files import Upload

__all__ = [
    "ConfluenceConnectionManager",
    "ConfluenceSettings",
    "Hit",
    "Page",
    "PageAttachment",
    "PageComment",
    "PageInTree",
    "Space",
    "Upload",
]
