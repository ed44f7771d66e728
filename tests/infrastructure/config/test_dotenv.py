"""The format of .env files, one row a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.config import dotenv

READ = [
    ("A=b", {"A": "b"}),
    ("A=b\n", {"A": "b"}),
    ("A=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
    ("export A=b", {"A": "b"}),
    ("  A = b  ", {"A": "b"}),
    ("A=", {"A": ""}),
    ("A=''", {"A": ""}),
    ("A=b c", {"A": "b c"}),
    ("A=b # c", {"A": "b"}),
    ("A=b#c", {"A": "b#c"}),
    ("A=#b", {"A": "#b"}),
    ("A= # b", {"A": ""}),
    ("A='b # c' # d", {"A": "b # c"}),
    ("A='b'#d", {"A": "b"}),
    ('A="b # c"', {"A": "b # c"}),
    (r'A="b\nc\"d\\e\$f\x"', {"A": 'b\nc"d\\e$f\\x'}),
    (r"A='b\nc'", {"A": r"b\nc"}),
    ('A="b\nc"\nD=e', {"A": "b\nc", "D": "e"}),
    ("A='b\nc'\nD=e", {"A": "b\nc", "D": "e"}),
    ("A=b'c\"", {"A": "b'c\""}),
    ("A=${B}", {"A": "${B}"}),
    ("A=b=c", {"A": "b=c"}),
    ("# A=b\n\n \t\nC=d", {"C": "d"}),
    ("A=b\nA=c", {"A": "c"}),
    ("export=1", {"export": "1"}),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_dotenv_is_read(text, expected):
    entries, broken = dotenv.parse(text)
    assert {name: entry.text for name, entry in entries.items()} == expected
    assert not broken


BROKEN = ["A", "1A=b", "A-B=c", "=b", "A='b", 'A="b', "A='b' c", "A: b", "export A", "A='b'c'"]


@pytest.mark.parametrize("line", BROKEN)
def test_line_that_is_no_assignment_is_told_and_the_others_are_read(line):
    entries, broken = dotenv.parse(f"X=1\n{line}\nY=2")
    assert broken == [2]
    assert set(entries) == {"X", "Y"}


@given(st.text(alphabet=st.characters(exclude_characters="'\r\0")))
def test_anything_without_a_quote_survives_single_quotes(text):
    entries, _ = dotenv.parse(f"A='{text}'\nB=1")
    assert (entries["A"].text, entries["B"].line) == (text, 2 + text.count("\n"))


@given(st.text())
def test_any_text_is_read_or_told(text):
    entries, broken = dotenv.parse(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in broken)
    assert not text.strip() or entries or broken or "#" in text or not text.strip(" \t\n\r")
