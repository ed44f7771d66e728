"""Where a value and its lease lie on the server."""

import re
from collections.abc import Sequence
from typing import Final

_LEASE: Final = "lease"
#: No key is escaped to it; a cluster could not place the lease of an empty name.
_NOTHING: Final = "%00"
_ORIGINALS: Final = {"%25": "%", "%7B": "{", "%7D": "}", "%00": ""}
_ESCAPED: Final = re.compile("|".join(_ORIGINALS))
_ESCAPES: Final = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})


class PhysicalNames:
    """The names of keys on the server.

    A cluster places a name by what stands in its first braces, or whole. So that a value and its
    lease lie together, keys have no braces of their own: `{`, `}` and `%` become `%7B`, `%7D` and
    `%25`. The value of `user:1` is `<prefix>user:1`, and its lease `{<prefix>user:1}lease`.

    A prefix may have braces on purpose, as in `{shop}:`, to keep all of its keys on one server;
    the lease is then `{shop}:user:1{lease}`.

    Raises:
        ValueError: The prefix has braces that are not one pair with something in it.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._is_tagged = "{" in prefix or "}" in prefix
        if self._is_tagged and not _has_one_tag(prefix):
            raise ValueError("braces in a prefix are one pair with something in it: '{shop}:'")

    def value(self, key: str) -> str:
        """Where the value of a key lies."""
        if "{" in key or "}" in key or "%" in key:
            key = key.translate(_ESCAPES)
        return self.prefix + key or _NOTHING

    def values(self, keys: Sequence[str]) -> list[str]:
        """Where the values of several keys lie."""
        together = "".join(keys)
        if "{" in together or "}" in together or "%" in together or "" in keys:
            return [self.value(key) for key in keys]
        prefix = self.prefix
        return [prefix + key for key in keys] if prefix else list(keys)

    def key(self, value_name: str) -> str:
        """The key whose value lies there; empty for a lease, or a name of somebody else's."""
        rest = value_name.removeprefix(self.prefix)
        if not value_name.startswith(self.prefix) or "{" in rest or "}" in rest:
            return ""
        return _ESCAPED.sub(lambda found: _ORIGINALS[found[0]], rest)

    def lease(self, value_name: str) -> str:
        """Where the lease of the value of that name lies: in the same slot."""
        if self._is_tagged:
            return f"{value_name}{{{_LEASE}}}"
        return f"{{{value_name}}}{_LEASE}"


def _has_one_tag(prefix: str) -> bool:
    opening, closing = prefix.find("{"), prefix.find("}")
    return prefix.count("{") == prefix.count("}") == 1 and 0 <= opening < closing - 1
