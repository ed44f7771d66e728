"""A reader of .env files: `NAME=value`, `export`, quotes and comments; nothing is expanded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ENTRY = re.compile(
    r"""
    [ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
    (?:
        '(?P<single>[^']*)'
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | (?P<bare>(?!['"])[^\n]*?)
    )
    [ \t]*(?:(?:(?<=[ \t])|(?<=['"]))\#[^\n]*)?(?:\n|$)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|$)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of a variable and the line it begins on."""

    text: str = field(repr=False)
    line: int


def parse(text: str) -> tuple[Mapping[str, Entry], list[int]]:
    """The variables, the last one of a name winning, and the lines that could not be read."""
    text = text.replace("\r\n", "\n")
    entries: dict[str, Entry] = {}
    broken: list[int] = []
    at, line = 0, 1
    while at < len(text):
        found = _BLANK.match(text, at) or _ENTRY.match(text, at)
        if found is None:
            broken.append(line)
            end = text.find("\n", at) + 1 or len(text)
        else:
            end = found.end()
            if name := found.groupdict().get("name"):
                entries[name] = Entry(_value(found), line)
        line += text.count("\n", at, end)
        at = end
    return entries, broken


def _value(found: re.Match[str]) -> str:
    if found["double"] is not None:
        return re.sub(
            r"\\(.)",
            lambda escape: _ESCAPES.get(escape[1], escape[0]),
            found["double"],
            flags=re.DOTALL,
        )
    return found["bare"].rstrip() if found["single"] is None else found["single"]
