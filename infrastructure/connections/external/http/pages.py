"""How an interface says where its next page is."""

import re
from collections.abc import Callable, Mapping

from infrastructure.connections.external.http.answers import HttpResponse
from infrastructure.errors import DataError

_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^;,"=]+(?:="[^"]*"|=[^;,"]*)?)*)')
_REL = re.compile(r';\s*rel\s*=\s*"?([^";,]+)"?', re.IGNORECASE)

#: Of an answer: a URL, or parameters that differ from those before; None for the last page.
NextPage = Callable[[HttpResponse], str | Mapping[str, str] | None]


def next_link(response: HttpResponse) -> str | None:
    """The URL that the header `Link` calls `next` (RFC 8288)."""
    for found in _LINK.finditer(response.headers.get("link", "")):
        rel = _REL.search(found[2])
        if rel and "next" in rel[1].lower().split():
            return found[1]
    return None


def cursor_at(path: str, param: str) -> NextPage:
    """A cursor that stands in the JSON, and the parameter in which it is sent back.

    Args:
        path: Names with dots between them, such as `meta.next_cursor`; where it is missing, null
            or empty, there is no next page.
        param: Such as `cursor`.
    """

    def after(response: HttpResponse) -> Mapping[str, str] | None:
        found = response.json()
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found is None or found == "":
            return None
        if not isinstance(found, (str, int)):
            raise DataError(f"the cursor at {path} is no text", where=response.where)
        return {param: str(found)}

    return after
