"""`${NAME}`, `${NAME:default}`, `${NAME!}` and `${file:/path}`, replaced once by a real parser.

A name with dots, as in `${paths.data}`, is another key of the settings; it must be there. A
default may hold `:`, balanced braces and placeholders. `$${` stands for a literal `${`; any other
`$` stays. What was put in is never scanned again. A variable that is unset, or a key that is null,
and has no default makes the whole value null, so that a field falls back to its model's default
or, when it has none, is reported with the name; `${NAME!}` reports it in any case, and so does a
placeholder inside other text, where half a value would be worse than none.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, TypeGuard

from infrastructure.config.environment import Environment
from infrastructure.config.files import UnreadableError, read_text, without_final_newline
from infrastructure.config.nodes import Node, Scalar
from infrastructure.config.origins import FILE_LAYERS, Reference, Source

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*")
_MAX_NESTING = 16
_MAX_CHARS = 1_000_000


class PlaceholderError(Exception):
    """A placeholder is written wrongly, or cannot be filled; the text holds no value.

    Attributes:
        offset: Where in the scalar, counted from 0; None when the place does not matter.
        hint: What to do.
        is_unset: A variable is missing; nothing is written wrongly.
        is_told_elsewhere: What is wrong stands at another place, where it is reported.
    """

    def __init__(
        self,
        message: str,
        offset: int | None = None,
        hint: str = "",
        *,
        is_unset: bool = False,
        is_told_elsewhere: bool = False,
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint
        self.is_unset = is_unset
        self.is_told_elsewhere = is_told_elsewhere


@dataclass(frozen=True, slots=True)
class Variable:
    """`${NAME}` with its default, if any; `is_required` for `${NAME!}`."""

    name: str
    default: "Parts | None" = None
    is_required: bool = False

    @property
    def is_key(self) -> bool:
        """It is no variable but another key."""
        return "." in self.name


@dataclass(frozen=True, slots=True)
class SecretFile:
    """`${file:/path}`; `source` is the expression as written."""

    path: "Parts"
    source: str


Parts: TypeAlias = tuple[str | Variable | SecretFile, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Filled:
    """A value after its placeholders were replaced; None when a variable was unset."""

    text: str | None
    references: tuple[Reference, ...]


#: Gives what stands under another key, or None where that is null.
KeyLookup: TypeAlias = Callable[[str], Filled | None]


@lru_cache(maxsize=1024)
def parse(text: str) -> Parts:
    """The text cut into literal pieces and placeholders.

    Raises:
        PlaceholderError: A placeholder is not closed, nested too deeply, or names no variable.
    """
    parts, _ = _parse_until(text, 0, 0)
    return parts


def has_placeholder(node: Node | None) -> TypeGuard[Scalar]:
    """There is something in it to replace or to unescape, and it stands in a file."""
    return (
        isinstance(node, Scalar)
        and node.text is not None
        and node.origin.layer in FILE_LAYERS
        and "${" in node.text
    )


def fill(parts: Parts, environment: Environment, key: KeyLookup | None = None) -> Filled:
    """Replace every placeholder; without `key`, none may name a key.

    Raises:
        PlaceholderError: A required variable is unset, one inside text is, a key cannot be had, a
            file is unreadable, or the whole grows too large.
    """
    filled = [_fill_one(part, environment, key) for part in parts]
    references = tuple(dict.fromkeys(each for one in filled for each in one.references))
    texts = [one.text for one in filled if one.text is not None]
    if len(texts) < len(filled):
        _refuse_half(parts, references)
        return Filled(None, references)
    if sum(map(len, texts)) > _MAX_CHARS:
        raise PlaceholderError(f"is longer than {_MAX_CHARS} characters once filled")
    return Filled("".join(texts), references)


def _parse_until(text: str, start: int, nesting: int) -> tuple[Parts, int]:
    """Parse up to the `}` that ends the enclosing placeholder, or to the end at the top."""
    parts: list[str | Variable | SecretFile] = []
    literal = ""
    braces, at = 0, start
    while at < len(text):
        if text.startswith("$${", at):
            literal, braces, at = literal + "${", braces + 1, at + 3
        elif text.startswith("${", at):
            part, at = _parse_placeholder(text, at, nesting)
            parts += [literal, part] if literal else [part]
            literal = ""
        elif nesting and text[at] == "}" and not braces:
            break
        else:
            braces += {"{": 1, "}": -1}.get(text[at], 0)
            literal, at = literal + text[at], at + 1
    return (*parts, literal) if literal else tuple(parts), at


def _parse_placeholder(text: str, start: int, nesting: int) -> tuple[Variable | SecretFile, int]:
    if nesting >= _MAX_NESTING:
        raise PlaceholderError("has placeholders nested too deeply", start)
    name = _NAME.match(text, start + 2)
    if name is None:
        raise PlaceholderError("has a `${` without a variable's name after it", start, _ESCAPE)
    at = name.end()
    if text[at : at + 1] == "}":
        return Variable(name[0]), at + 1
    if text[at : at + 2] == "!}":
        return Variable(name[0], is_required=True), at + 2
    if at < len(text) and text[at] != ":":
        raise PlaceholderError("has a `${` without a variable's name after it", start, _ESCAPE)
    inner, end = _parse_until(text, at + 1, nesting + 1)
    if end >= len(text):
        raise PlaceholderError("has a `${` that is not closed", start, _ESCAPE)
    if name[0] == "file":
        return SecretFile(inner, text[start : end + 1]), end + 1
    return Variable(name[0], inner), end + 1


_ESCAPE = "Write `$${` for a literal `${`."


def _fill_one(
    part: str | Variable | SecretFile, environment: Environment, key: KeyLookup | None
) -> Filled:
    if isinstance(part, str):
        return Filled(part, ())
    if isinstance(part, SecretFile):
        return _fill_file(part, environment, key)
    found = _looked_up(part, environment, key)
    if found is not None:
        return found
    if part.default is not None:
        inner = fill(part.default, environment, key)
        return Filled(inner.text, (Reference(part.name, Source.DEFAULT), *inner.references))
    if part.is_required:
        message = f"needs ${{{part.name}}}, which is not set"
        raise PlaceholderError(message, hint=advice(part.name), is_unset=True)
    return Filled(None, (Reference(part.name, Source.UNSET),))


def _looked_up(part: Variable, environment: Environment, key: KeyLookup | None) -> Filled | None:
    if part.is_key:
        if key is None:
            raise PlaceholderError(f"needs the key ${{{part.name}}} before there are keys")
        return key(part.name)
    found = environment.get(part.name)
    if found is None:
        return None
    return Filled(found.text, (Reference(part.name, found.source, not found.text),))


def advice(name: str) -> str:
    """What to do about a variable, or another key, that is not set."""
    return f"Set {name}." if "." in name else f"Set {name} in the environment or in .env."


def _fill_file(part: SecretFile, environment: Environment, key: KeyLookup | None) -> Filled:
    path = fill(part.path, environment, key)
    if path.text is None:
        return Filled(None, path.references)
    if not path.text.startswith("/"):
        raise PlaceholderError(f"{part.source} does not name an absolute path")
    try:
        text = without_final_newline(read_text(path.text))
    except UnreadableError as error:
        reason = str(error)
    else:
        reference = Reference(part.source, Source.FILE, not text)
        return Filled(text, (reference, *path.references))
    raise PlaceholderError(f"the file of {part.source} {reason}")


def _refuse_half(parts: Parts, references: Sequence[Reference]) -> None:
    if len(parts) == 1:
        return
    name = next(each.name for each in references if each.source is Source.UNSET)
    raise PlaceholderError(
        f"needs ${{{name}}}, which is not set and stands inside other text",
        hint=f"{advice(name)[:-1]}, or give it a default: ${{{name}:...}}.",
        is_unset=True,
    )
