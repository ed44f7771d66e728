"""Plain text of Atlassian's documents, and documents of plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.connections.external.jira.adf import to_document, to_text


def of(*content: object) -> dict[str, object]:
    return {"type": "doc", "version": 1, "content": list(content)}


def node(kind: str, *content: object, **attrs: object) -> dict[str, object]:
    return {"type": kind, "content": list(content), "attrs": attrs}


def text(value: str) -> dict[str, object]:
    return {"type": "text", "text": value, "marks": [{"type": "strong"}]}


@given(st.text(st.characters(exclude_characters="\r"), max_size=200))
def test_text_comes_back_as_it_was(words: str):
    assert to_text(to_document(words)) == words


def test_a_document_is_as_the_reference_has_it():
    line = {"type": "text", "text": "b"}
    assert to_document("a\n\nb\nb") == of(
        {"type": "paragraph", "content": [{"type": "text", "text": "a"}]},
        {"type": "paragraph", "content": [line, {"type": "hardBreak"}, line]},
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, ""),
        ("plain of Data Center", "plain of Data Center"),
        (of(), ""),
        (of(node("paragraph", text("Hi "), node("mention", text="@Ann"))), "Hi @Ann"),
        (of(node("heading", text("A"), level=1), node("rule")), "A\n\n---"),
        (
            of(node("bulletList", *(node("listItem", node("paragraph", text(x))) for x in "ab"))),
            "- a\n- b",
        ),
        (of(node("orderedList", node("listItem", node("paragraph", text("a"))), order=3)), "3. a"),
        (
            of(
                node(
                    "bulletList",
                    node(
                        "listItem",
                        node("paragraph", text("a")),
                        node("bulletList", node("listItem", node("paragraph", text("b")))),
                    ),
                )
            ),
            "- a\n  - b",
        ),
        (
            of(node("table", node("tableRow", *(node("tableCell", node("paragraph", text(x)))
                                                 for x in "ab")))),
            "| a | b |",
        ),
        (of(node("codeBlock", text("x = 1\ny"), language="python")), "x = 1\ny"),
        (of(node("panel", node("paragraph", text("note")), panelType="info")), "note"),
        (of(node("paragraph", node("inlineCard", url="https://a.test/1"))), "https://a.test/1"),
        (of(node("yetUnknown", node("paragraph", text("kept")))), "kept"),
        (of("no node", {"type": "text", "text": 1}, node("paragraph", node("emoji"))), "\n\n"),
    ],
)  # fmt: skip
def test_a_document_is_shown_as_text(document: object, expected: str):
    assert to_text(document) == expected


def test_what_nests_without_end_has_one():
    deep: dict[str, object] = text("bottom")
    for _ in range(10_000):
        deep = node("blockquote", deep)
    assert to_text(of(text("top"), deep)).startswith("top")
