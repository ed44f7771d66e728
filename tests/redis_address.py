"""A server's URL in the words of a settings block."""

from typing import Any
from urllib.parse import unquote, urlsplit


def address(url: str, **changed: Any) -> dict[str, Any]:
    parts = urlsplit(url)
    found = {
        "host": parts.hostname,
        "port": parts.port,
        "password": unquote(parts.password or "") or None,
        "database": int(parts.path.strip("/") or 0),
    }
    return found | changed
