"""The grammar of placeholders, one row a rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.config import placeholders
from infrastructure.config.environment import Environment, Setting

FILLED = [
    ("${A:http://h:8080/x}", {}, "http://h:8080/x"),
    ("${A:pre-${B}-post}", {"B": "b"}, "pre-b-post"),
    ("${A:pre-${B:c}-post}", {}, "pre-c-post"),
    ("${A:pre-${B}-post}", {"A": "a"}, "a"),
    ("${A:{'x': {'y': 1}}}", {}, "{'x': {'y': 1}}"),
    ("${A:}", {}, ""),
    ("${A}", {"A": ""}, ""),
    ("${A:default}", {"A": ""}, ""),
    ("${A:-1}", {}, "-1"),
    ("${A:null}", {}, "null"),
    ("${A}", {"A": "p$w#: x"}, "p$w#: x"),
    ("${A}", {"A": "p$w#: ${x}"}, "p$w#: ${x}"),
    ("${A}", {"A": "[1,2"}, "[1,2"),
    ("${A}", {"A": "{{ x }}"}, "{{ x }}"),
    ("${A:${B}}", {"B": "${C}", "C": "c"}, "${C}"),
    ("$${A}", {"A": "a"}, "${A}"),
    ("$${A:${B}}", {"B": "b"}, "${A:b}"),
    ("${A:$${B}}", {}, "${B}"),
    ("$A costs $5 and $$", {"A": "a"}, "$A costs $5 and $$"),
    ("}{ ${A}", {"A": "a"}, "}{ a"),
    ("${A}${B}", {"A": "a", "B": "b"}, "ab"),
    ("${A!}", {"A": "a"}, "a"),
    ("${file}", {"file": "a variable may have this name"}, "a variable may have this name"),
    ("${A}", {}, None),
    ("${A:${B}}", {}, None),
]


@pytest.mark.parametrize(("text", "environ", "expected"), FILLED)
def test_placeholders_are_replaced_in_one_pass(text, environ, expected):
    assert fill(text, environ) == expected


BROKEN = [
    ("${", "without a variable's name", 0),
    ("${}", "without a variable's name", 0),
    ("a ${ A }", "without a variable's name", 2),
    ("${1A}", "without a variable's name", 0),
    ("${A-x}", "without a variable's name", 0),
    ("${A", "not closed", 0),
    ("${A:x", "not closed", 0),
    ("x${A:${B}", "not closed", 1),
    ("${A:{}", "not closed", 0),
    ("${A:" * 1000, "nested too deeply", 64),
]


@pytest.mark.parametrize(("text", "message", "offset"), BROKEN)
def test_broken_placeholder_says_where_and_not_what(text, message, offset):
    with pytest.raises(placeholders.PlaceholderError, match=message) as caught:
        fill(text, {"A": "a", "B": "b"})
    assert caught.value.offset == offset


@pytest.mark.parametrize("text", ["${A!}", "x${A}", "${A}${B:b}", "${B:x${A}}", "${file:${A}/x}"])
def test_variable_that_must_be_there_is_named_when_unset(text):
    with pytest.raises(placeholders.PlaceholderError, match=r"needs \$\{A\}, which is not set"):
        fill(text, {})


def test_file_is_read_without_its_final_newline(tmp_path):
    (tmp_path / "key").write_text("s3cret\n\n")
    assert fill(f"${{file:{tmp_path}/key}}", {}) == "s3cret\n"


def test_path_of_a_file_may_come_from_a_variable(tmp_path):
    (tmp_path / "key").write_text("s3cret\r\n")
    assert fill("${A:${file:${DIR:/nowhere}/key}}", {"DIR": str(tmp_path)}) == "s3cret"


def test_file_named_by_an_unset_variable_is_null():
    assert fill("${file:${KEY_FILE}}", {}) is None


@pytest.mark.parametrize("path", ["/nowhere/at-all", "relative", "", "/dev/zero", "/tmp", "/a\0b"])
def test_unreadable_file_is_told_without_the_path_that_a_variable_gave(path):
    with pytest.raises(placeholders.PlaceholderError) as caught:
        fill("${file:${KEY_FILE}}", {"KEY_FILE": path})
    assert "${file:${KEY_FILE}}" in str(caught.value)
    assert not path or path not in str(caught.value)


@given(st.text())
def test_escaping_every_opening_gives_any_text_back(text):
    assert fill(text.replace("${", "$${"), {}) == text


@given(st.text())
def test_braces_that_are_balanced_may_stand_in_a_default(text):
    inside = text.replace("{", "").replace("}", "").replace("$", "")
    assert fill("${A:{" + inside + "}" + inside + "}", {}) == "{" + inside + "}" + inside


@given(st.text(alphabet=st.characters(exclude_characters="\0")))
def test_text_of_a_variable_is_never_read_again(text):
    assert fill("<${A}>", {"A": text}) == f"<{text}>"


def fill(text: str, environ: dict[str, str]) -> Any:
    environment = Environment({name: Setting(value) for name, value in environ.items()})
    return placeholders.fill(placeholders.parse(text), environment).text
