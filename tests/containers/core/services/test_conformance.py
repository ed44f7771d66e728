"""Every line of the conformance list that applies to Python has a test named by its id."""

import re
from pathlib import Path

LIST = {"C": 36, "Q": 5, "U": 20, "K": 28, "N": 6}
#: Constraints of generics, value types, constructor visibility: Python has none of them.
DROPPED = {*(f"C{number}" for number in range(25, 31)), "U03", "U05", "U07", "U13"}
#: What the list does not ask and this container promises.
ADDED = {f"A{number:02}" for number in range(1, 8)}


def listed() -> set[str]:
    return {f"{part}{number:02}" for part, count in LIST.items() for number in range(1, count + 1)}


def covered() -> set[str]:
    texts = (path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    return {found for text in texts for found in re.findall(r"def test_([A-Z]\d\d)_\w", text)}


def test_the_list_has_95_lines():
    assert len(listed()) == 95


def test_every_line_that_is_not_dropped_has_a_test():
    assert sorted((listed() - DROPPED | ADDED) - covered()) == []


def test_no_test_has_an_id_that_the_list_has_not():
    assert sorted(covered() - (listed() - DROPPED | ADDED)) == []
