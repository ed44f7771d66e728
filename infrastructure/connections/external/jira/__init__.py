"""Jira: Cloud by its REST interface 3, Data Center by 2."""

from infrastructure.connections.external.http.files import Upload
from infrastructure.connections.external.jira.manager import JiraConnectionManager, JiraSettings
from infrastructure.connections.external.jira.models import (
    Attachment,
    Comment,
    Issue,
    Project,
    Transition,
)

__all__ = [
    "Attachment",
    "Comment",
    "Issue",
    "JiraConnectionManager",
    "JiraSettings",
    "Project",
    "Transition",
    "Upload",
]
