"""One YAML file as a tree of nodes: positions kept, nothing converted, nothing executed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from infrastructure.config.nodes import Node, Scalar, Sequence, Table
from infrastructure.config.origins import Layer, Origin
from infrastructure.config.scalars import NULLS

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 64
_MAX_NODES = 100_000
#: What the parser may quote is text of the document, unless it is the punctuation it expected.
_QUOTED = re.compile(r"""\s*(?:'([^']*)'|"[^"]*")""")
_EXPECTED = frozenset(",:?}]-")
_TAGS = {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq"))}


@dataclass(frozen=True, slots=True)
class Place:
    """The file a document stands in, and the layer it belongs to."""

    file: str
    layer: Layer
    profile: str = ""

    def at(self, mark: Any) -> Origin:
        """The origin of what starts at a mark of the parser."""
        line, column = mark.line + 1, mark.column + 1
        return Origin(self.layer, self.file, line, column, self.profile)


class DocumentError(Exception):
    """A document cannot be read.

    Attributes:
        message: What is wrong; nothing of the document's text.
        line: Counted from 1; 0 when not known.
        column: Counted from 1; 0 when not known.
        hint: What to do; may be empty.
    """

    def __init__(self, message: str, mark: Any = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = mark.line + 1 if mark else 0
        self.column = mark.column + 1 if mark else 0
        self.hint = hint


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read yet."""

    origin: Origin
    anchor: str | None
    is_table: bool
    entries: dict[str, Node] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    key: str | None = None
    size: int = 1
    height: int = 0

    def close(self) -> Node:
        """The finished node."""
        if self.is_table:
            return Table(self.entries, self.origin)
        return Sequence(tuple(self.items), self.origin)


# Reading a file is cheap and parsing it is not; the text itself is the key, so an edited file
# is never mistaken for the old one.
@lru_cache(maxsize=128)
def parse(text: str, place: Place) -> Table:
    """The document as a mapping; an empty one gives an empty mapping.

    Raises:
        DocumentError: It is not one YAML document, or not a mapping, or too deep or too large.
    """
    found = _read(text, place)
    if isinstance(found, DocumentError):
        raise found
    if isinstance(found, Table):
        return found
    if found is None or (isinstance(found, Scalar) and found.text is None):
        return Table({}, Origin(place.layer, place.file, 1, 1, place.profile))
    raise DocumentError(
        "should be a mapping at the top, such as `cache:` with its keys below it", _mark(found)
    )


def _read(text: str, place: Place) -> Node | DocumentError | None:
    # The vendor's error holds the text of the document, so it must not become the context of ours.
    try:
        return _Builder(place).build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        return _explained(error, text)
    except yaml.reader.ReaderError as error:
        mark = _Mark(text, error.position if isinstance(error.position, int) else 0)
        return DocumentError("has a character that YAML does not allow", mark)
    except DocumentError as error:
        return error


class _Builder:
    """Builds nodes from the parser's events, without recursion: depth is the file's choice."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int] | None] = {}
        self._root: Node | None = None
        self._documents = 0

    def build(self, events: Iterator[Any]) -> Node | None:
        """The root; None for an empty stream."""
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._start(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._end(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent():
                    self._document(event)
        return self._root

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise DocumentError(
                "holds a second document",
                event.start_mark,
                "Put what belongs to a profile into profiles/<profile>.yaml.",
            )

    def _scalar(self, event: Any) -> None:
        _refuse_tag(event)
        is_plain = bool(event.implicit[0])
        if self._wants_key():
            self._take_key(event, is_plain)
            return
        text = None if is_plain and event.value in NULLS else event.value
        node = Scalar(text, self._place.at(event.start_mark), is_plain)
        if event.anchor:
            self._anchors[event.anchor] = (node, 1, 0)
        self._put(node, 1, 0, event.start_mark)

    def _start(self, event: Any) -> None:
        _refuse_tag(event)
        if self._wants_key():
            raise DocumentError("has a key that is not text", event.start_mark)
        if len(self._stack) >= _MAX_DEPTH:
            raise DocumentError(f"is nested deeper than {_MAX_DEPTH} levels", event.start_mark)
        if event.anchor:
            self._anchors[event.anchor] = None
        is_table = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(self._place.at(event.start_mark), event.anchor, is_table))

    def _end(self, event: Any) -> None:
        top = self._stack.pop()
        node = top.close()
        if top.anchor:
            self._anchors[top.anchor] = (node, top.size, top.height + 1)
        self._put(node, top.size, top.height + 1, event.start_mark)

    def _alias(self, event: Any) -> None:
        if self._wants_key():
            raise DocumentError("has an alias for a key", event.start_mark)
        if event.anchor not in self._anchors:
            raise DocumentError("has an alias without an anchor before it", event.start_mark)
        known = self._anchors[event.anchor]
        if known is None:
            raise DocumentError("has an alias inside its own anchor", event.start_mark)
        self._put(*known, event.start_mark)

    def _wants_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_table and self._stack[-1].key is None

    def _take_key(self, event: Any, is_plain: bool) -> None:
        top = self._stack[-1]
        if is_plain and event.value == "<<":
            raise DocumentError(
                "has a merge key `<<`, which YAML 1.2 does not know",
                event.start_mark,
                "Write the keys out; layers and profiles merge by themselves.",
            )
        if event.value in top.entries:
            first = top.entries[event.value].origin.line
            raise DocumentError(
                f"has a key twice in one mapping; the first is on line {first}", event.start_mark
            )
        top.key = event.value

    def _put(self, node: Node, size: int, height: int, mark: Any) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        top.size += size
        top.height = max(top.height, height)
        if top.size > _MAX_NODES or len(self._stack) + height > _MAX_DEPTH:
            raise DocumentError("grows too large through its aliases", mark)
        if top.is_table and top.key is not None:
            top.entries[top.key], top.key = node, None
        else:
            top.items.append(node)


@dataclass(slots=True)
class _Mark:
    """A position in the text, counted as the parser counts."""

    line: int
    column: int

    def __init__(self, text: str, position: int) -> None:
        before = text[:position]
        self.line = before.count("\n")
        self.column = position - (before.rfind("\n") + 1)


def _mark(node: Node) -> Any:
    origin = node.origin
    mark = _Mark("", 0)
    mark.line, mark.column = origin.line - 1, origin.column - 1
    return mark


def _refuse_tag(event: Any) -> None:
    if event.tag not in _TAGS:
        raise DocumentError("has a tag; only plain YAML is read", event.start_mark)


def _explained(error: yaml.MarkedYAMLError, text: str) -> DocumentError:
    """Say what the parser says, without anything it quotes from the document."""
    problem = error.problem or "cannot be parsed"
    reason = _QUOTED.sub(lambda found: found[0] if found[1] in _EXPECTED else "", problem)
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return DocumentError(
            f"is broken YAML: {reason}", mark, "Indent with spaces, not with tabs."
        )
    if "${" in line:
        hint = "Put the value in quotes: a placeholder needs them inside {} or [], or before ': '."
        return DocumentError(f"is broken YAML: {reason}", mark, hint)
    return DocumentError(f"is broken YAML: {reason}", mark)
