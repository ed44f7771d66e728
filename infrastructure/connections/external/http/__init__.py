"""HTTP interfaces of any kind: requests, pages, files in and out."""

from infrastructure.connections.external.http.answers import HttpResponse
from infrastructure.connections.external.http.files import Upload
from infrastructure.connections.external.http.manager import HttpConnectionManager, HttpSettings
from infrastructure.connections.external.http.pages import cursor_at, next_link
from infrastructure.connections.external.http.place import segment

__all__ = [
    "HttpConnectionManager",
    "HttpResponse",
    "HttpSettings",
    "Upload",
    "cursor_at",
    "next_link",
    "segment",
]
