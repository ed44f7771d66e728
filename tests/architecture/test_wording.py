"""What must not stand anywhere in the project."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import (
    SOURCES,
    dotted,
    imports,
    parsed,
    place,
    python_files,
    text_files,
)

#: Where packages were fetched from, and where the project was written, are nobody's business.
WORDS = re.compile(
    r"p[y]pi[.]org|p[y]thonhosted[.]org|n[p]mjs[.]|--(?:extra-)?index[-]url|trusted[-]host|artifactor[y]"
    r"|(?<![\w./}])/(?:work|root|home)/\w",
    re.IGNORECASE,
)
BROAD = {"Exception", "BaseException"}
UNSAFE = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}
MODULES = python_files(*SOURCES, "tests", "examples")
#: One process reads the modules for all these tests.
pytestmark = pytest.mark.xdist_group("sources")


def is_silent(statement: ast.stmt) -> bool:
    """Whether it does nothing with what was caught."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Return):
        return statement.value is None or (
            isinstance(statement.value, ast.Constant) and statement.value.value is None
        )
    return isinstance(statement, (ast.Pass, ast.Continue))


def catches_all(caught: ast.expr | None) -> bool:
    """Whether every error is meant, alone or among others."""
    if isinstance(caught, ast.Tuple):
        return any(map(catches_all, caught.elts))
    return caught is None or dotted(caught) in BROAD


def swallowed(tree: ast.AST) -> Iterator[ast.AST]:
    """Handlers of everything that do nothing, and `suppress` of everything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if catches_all(node.type) and all(map(is_silent, node.body)):
                yield node
        elif (
            isinstance(node, ast.Call)
            and dotted(node.func).endswith("suppress")
            and any(map(catches_all, node.args))
        ):
            yield node


def test_swallowing_is_noticed_in_every_form() -> None:
    text = (
        "try: x()\nexcept Exception: pass\n"
        "try: x()\nexcept: return_none = 1\n"
        "try: x()\nexcept (KeyError, BaseException): ...\n"
        "def f():\n  try: x()\n  except Exception: return None\n"
        "with suppress(Exception): x()\n"
        "try: x()\nexcept (ValueError, KeyError): pass\n"
    )
    assert len(list(swallowed(ast.parse(text)))) == 4


def found_in(paths: Iterable[Path], look: Callable[[ast.AST], Iterable[ast.AST]]) -> list[str]:
    """The places in the modules where there is what is looked for."""
    return [place(path, node) for path in paths for node in look(parsed(path))]


def unsafe(tree: ast.AST) -> Iterator[ast.AST]:
    """Imports of what runs code when it is read."""
    yield from (node for node, name in imports(tree) if name.partition(".")[0] in UNSAFE)


def sleeping(tree: ast.AST) -> Iterator[ast.AST]:
    """Uses and imports of `time.sleep`."""
    yield from (node for node in ast.walk(tree) if dotted(node) == "time.sleep")
    yield from (node for node, name in imports(tree) if name == "time.sleep")


def test_what_is_unsafe_and_what_sleeps_is_noticed() -> None:
    tree = ast.parse("import pickle, time\nfrom time import sleep\ntime.sleep(1)\n")
    assert (len(list(unsafe(tree))), len(list(sleeping(tree)))) == (1, 2)


def test_no_exception_is_swallowed() -> None:
    assert found_in(MODULES, swallowed) == []


def test_nothing_that_runs_code_when_it_is_read_is_imported() -> None:
    assert found_in(MODULES, unsafe) == []


def test_no_test_sleeps() -> None:
    assert found_in(python_files("tests"), sleeping) == []


def test_text_speaks_of_the_project_only() -> None:
    assert [
        f"{place(path)}:{number}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS.search(line)
    ] == []
