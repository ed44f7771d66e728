"""Text of Jira Cloud: the Atlassian Document Format, to plain text and from it."""

from collections.abc import Iterator
from typing import Any

#: Deeper than any editor nests; what is below is left out.
_DEEPEST = 50
#: What stands on lines of its own.
_BLOCKS = frozenset(
    {"blockquote", "bulletList", "codeBlock", "expand", "heading", "mediaGroup", "mediaSingle"}
    | {"nestedExpand", "orderedList", "panel", "paragraph", "rule", "table", "taskList"}
)
#: What these are shown by is an attribute.
_SHOWN = {
    "date": "timestamp",
    "emoji": "text",
    "inlineCard": "url",
    "blockCard": "url",
    "mention": "text",
    "placeholder": "text",
    "status": "text",
}


def to_document(text: str) -> dict[str, Any]:
    """A document of plain text: an empty line ends a paragraph, a line break stays one."""
    blocks = text.replace("\r\n", "\n").split("\n\n")
    content = [_paragraph(block) for block in blocks] if text else []
    return {"type": "doc", "version": 1, "content": content}


def to_text(document: Any) -> str:
    """The plain text of a document; of text, itself; of nothing, nothing.

    Marks such as bold are dropped. Items of lists stand after `- ` or their number, cells of a
    table between `|`. What is unknown is shown by the text inside it.
    """
    if isinstance(document, str):
        return document
    return "\n\n".join(_blocks(document, 0))


def _paragraph(block: str) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    for number, line in enumerate(block.split("\n")):
        if number:
            nodes.append({"type": "hardBreak"})
        if line:
            nodes.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": nodes}


def _blocks(node: Any, depth: int) -> Iterator[str]:
    """The texts of the blocks in a node; what stands between them is one of its own."""
    line: list[str] = []
    for child in _children(node, depth):
        if child.get("type") in _BLOCKS:
            if line:
                yield "".join(line)
                line = []
            yield _block(child, depth + 1)
        else:
            line.append(_inline(child, depth + 1))
    if line:
        yield "".join(line)


def _block(node: dict[str, Any], depth: int) -> str:
    match node.get("type"):
        case "bulletList" | "taskList":
            return "\n".join(f"- {_item(child, depth)}" for child in _children(node, depth))
        case "orderedList":
            items = enumerate(_children(node, depth), _first_number(node))
            return "\n".join(f"{number}. {_item(child, depth)}" for number, child in items)
        case "table":
            return "\n".join(_row(row, depth) for row in _children(node, depth))
        case "rule":
            return "---"
        case "paragraph" | "heading" | "codeBlock":
            return "".join(_inline(child, depth + 1) for child in _children(node, depth))
    return "\n\n".join(_blocks(node, depth + 1))


def _inline(node: dict[str, Any], depth: int) -> str:
    kind = node.get("type")
    if kind == "text":
        return _text(node.get("text"))
    if kind == "hardBreak":
        return "\n"
    attributes = node.get("attrs")
    if kind in _SHOWN and isinstance(attributes, dict):
        return _text(attributes.get(_SHOWN[kind]))
    return "\n\n".join(_blocks(node, depth + 1))


def _item(node: dict[str, Any], depth: int) -> str:
    return "\n".join(_blocks(node, depth + 1)).replace("\n", "\n  ")


def _row(node: dict[str, Any], depth: int) -> str:
    cells = (" ".join(_blocks(cell, depth + 2)) for cell in _children(node, depth + 1))
    return f"| {' | '.join(cells)} |"


def _first_number(node: dict[str, Any]) -> int:
    attributes = node.get("attrs")
    order = attributes.get("order") if isinstance(attributes, dict) else None
    return order if isinstance(order, int) else 1


def _children(node: Any, depth: int) -> list[dict[str, Any]]:
    found = node.get("content") if isinstance(node, dict) else None
    if not isinstance(found, list) or depth > _DEEPEST:
        return []
    return [each for each in found if isinstance(each, dict)]


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""
