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


@pytest.mark.parametrize("path", python_files(*SOURCES), ids=place)
def test_everything_public_has_a_docstring(path: Path) -> None:
    tree = parsed(path)
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    public = [
        node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")
    ]
    silent = [place(path, node) for node in (tree, *public) if not (ast.get_docstring(node) or "")]
    assert silent == []
