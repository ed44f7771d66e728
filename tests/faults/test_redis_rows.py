"""Each row of the table of faults is told by at least one test."""

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = range(1, 26)


def _told() -> dict[int, list[str]]:
    """The tests of each row, by what the docstring of the test or of its file begins with."""
    told: dict[int, list[str]] = defaultdict(list)
    shared = TESTS / "faults" / "cache_fault_contract.py"
    for path in (shared, *sorted(TESTS.rglob("test_redis*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef, ast.Module)):
                continue
            named = re.match(r"Rows? ([\d, and]+)", ast.get_docstring(node) or "")
            for row in re.findall(r"\d+", named[1]) if named else []:
                told[int(row)].append(getattr(node, "name", path.name))
    return told


def test_no_row_is_without_a_test() -> None:
    told = _told()
    assert [row for row in ROWS if not told[row]] == []
