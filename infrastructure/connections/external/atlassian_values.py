"""Values at their places in the answers of Jira and Confluence."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from infrastructure.errors import DataError

#: Of a length in bytes; Python refuses to read thousands.
_MOST_DIGITS = 18


def mapping(found: Any, where: str) -> dict[str, Any]:
    """What should be an object of JSON.

    Raises:
        DataError: It is something else.
    """
    if not isinstance(found, dict):
        raise DataError("the answer is no object of JSON", where=where)
    return found


def entries(page: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """The objects in a list under a key.

    Raises:
        DataError: There is no such list.
    """
    found = page.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DataError(f"the answer has no list '{key}'", where=where)
    return found


def named(raw: Mapping[str, Any], key: str, where: str) -> str:
    """What a thing is called by.

    Raises:
        DataError: It has no such field.
    """
    found = text_at(raw, key)
    if not found:
        raise DataError(f"the answer has no '{key}'", where=where)
    return found


def text_at(raw: Any, *path: str) -> str:
    """The text or number at a path of keys; empty where there is none."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return "" if raw is None or isinstance(raw, (dict, list)) else str(raw)


def number_at(raw: Any, *path: str) -> int:
    """The whole number at a path of keys; 0 where there is none."""
    text = text_at(raw, *path)
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0


def moment_at(raw: Any, *path: str) -> datetime | None:
    """The time at a path of keys; None where there is none that can be read."""
    try:
        return datetime.fromisoformat(text_at(raw, *path))
    except ValueError:
        return None
