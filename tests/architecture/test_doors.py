"""What a package exports, and whether everything public is told about."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.architecture.sources import SOURCES, module_name, parsed, place, python_files

DOORS = [path for path in python_files(*SOURCES) if path.stem == "__init__"]
EXPORTING = [path for path in DOORS if "__all__" in path.read_text()]
with_each_door = pytest.mark.parametrize("path", EXPORTING, ids=place)


def constants_then_classes_then_functions(name: str) -> tuple[int, str]:
    if name.isupper():
        return 0, name
    return (1 if name[:1].isupper() else 2), name


@with_each_door
def test_exported_names_are_sorted_and_stand_once(path: Path) -> None:
    names = list(importlib.import_module(module_name(path)).__all__)
    assert names == sorted(set(names), key=constants_then_classes_then_functions)


@with_each_door
def test_every_exported_name_is_there(path: Path) -> None:
    door = importlib.import_module(module_name(path))
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


def silent(tree: ast.Module) -> list[ast.AST]:
    """The module, and what is public in it, as far as nothing is told about it."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    public = [
        node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")
    ]
    return [node for node in (tree, *public) if not ast.get_docstring(node)]


def test_what_is_silent_is_noticed() -> None:
    assert len(silent(ast.parse('class A: ...\ndef f(): "Tells."\ndef _g(): ...\n'))) == 2


@pytest.mark.xdist_group("sources")
def test_everything_public_has_a_docstring() -> None:
    paths = python_files(*SOURCES)
    assert [place(path, node) for path in paths for node in silent(parsed(path))] == []
