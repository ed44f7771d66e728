"""What a model's refusal says, without anything of the value it refused."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from infrastructure.config.nodes import Node, Scalar, Sequence, Table
from infrastructure.config.secrets import looks_secret

#: Errors whose text is fixed by the type of the field and its bounds, never by the input.
_FIXED = frozenset(
    [
        "bool_parsing",
        "bool_type",
        "dict_type",
        "enum",
        "finite_number",
        "float_parsing",
        "float_type",
        "frozen_set_type",
        "greater_than",
        "greater_than_equal",
        "int_from_float",
        "int_parsing",
        "int_parsing_size",
        "int_type",
        "less_than",
        "less_than_equal",
        "list_type",
        "literal_error",
        "mapping_type",
        "missing",
        "model_type",
        "multiple_of",
        "none_required",
        "path_type",
        "set_type",
        "string_pattern_mismatch",
        "string_too_long",
        "string_too_short",
        "string_type",
        "too_long",
        "too_short",
        "tuple_type",
        "iterable_type",
        "model_attributes_type",
    ]
)
_WRITTEN = frozenset({"value_error", "assertion_error"})
_SHORTEST_PIECE = 4


def message_of(error: Mapping[str, Any], node: Node | None) -> str:
    """One clause about what is wrong; the texts below `node` do not appear unless harmless."""
    kind = str(error["type"])
    if kind in _FIXED:
        return _shortened(str(error["msg"]))
    text = str(error["msg"]).partition(", ")[2].rstrip(".")
    if isinstance(node, Scalar) and node.origin.is_outside and "Known: " in text:
        text = text.replace(f" '{node.text}'. ", " of that name. ")
    if kind in _WRITTEN and text and not _quotes(text, hidden_texts(node)):
        return text
    return f"is not valid ({kind})"


_LONGEST_SHOWN = 60


def found_in(node: Node | None, path: str, *, is_secret: bool) -> str:
    """`, found 'abc'` for a literal of YAML that is no secret; else which variable holds it."""
    if not isinstance(node, Scalar) or node.text is None:
        return ""
    if node.origin.is_outside:
        name = node.origin.variable
        return f", found the text of {name}" if name and name != str(node.origin) else ""
    is_shown = not is_secret and is_harmless(node, path) and len(node.text) <= _LONGEST_SHOWN
    return f", found '{node.text}'" if is_shown else ""


def is_harmless(node: Scalar, path: str) -> bool:
    """The text stands in a YAML file, under a key and in a form that suggests no secret."""
    return (
        not node.origin.is_outside
        and not any(looks_secret(step) for step in path.split("."))
        and not ("://" in (node.text or "") and "@" in (node.text or ""))
        and (node.text or "").isprintable()
    )


def hidden_texts(node: Node | None, key: str = "") -> Iterable[str]:
    """Every text below `node` that must not be shown."""
    if isinstance(node, Scalar):
        if node.text and not is_harmless(node, key):
            yield node.text
    elif isinstance(node, Table):
        for name, child in node.items.items():
            yield from hidden_texts(child, name)
    elif isinstance(node, Sequence):
        for child in node.items:
            yield from hidden_texts(child, key)
    elif node is not None:
        yield str(node.value)


def _quotes(message: str, texts: Iterable[str]) -> bool:
    """The message has a hidden text in it, or a piece of one that is long enough to tell."""
    lower = message.lower()
    return any(
        piece in lower
        for text in texts
        for piece in (text.lower(), *re.split(r"[^a-z0-9]+", text.lower()))
        if piece and (len(piece) >= _SHORTEST_PIECE or piece == text.lower())
    )


def _shortened(message: str) -> str:
    message = message.removeprefix("Input ")
    return re.sub(r", unable to .*$", "", message)
