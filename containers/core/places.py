"""Where things stand in the source: file and line, as far as Python knows."""

import ast
import inspect
import os.path
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

from dependency_injector import providers as di


def place_of(target: Any) -> str:
    """`file:line` of a class or function; empty where it has no source."""
    while isinstance(target, partial):
        target = target.func
    code = getattr(inspect.unwrap(target), "__code__", None) if callable(target) else None
    if code is not None:
        return shown(code.co_filename, code.co_firstlineno)
    return _place_of_class(target) if inspect.isclass(target) else ""


def declaration_of(container: Any, path: str) -> str:
    """`file:line` of the assignment that declares a provider in its container's class.

    Empty for what was added to a container after its class was written.
    """
    *way, name = path.split(".")
    owner = container
    for step in way:
        inside = getattr(owner, "providers", {}).get(step)
        owner = inside.container if isinstance(inside, di.Container) else inside
    declared = owner if isinstance(owner, type) else getattr(owner, "declarative_parent", None)
    for cls in getattr(declared, "__mro__", ()):
        if name in vars(cls).get("cls_providers", ()):
            return _place_of_assignment(cls, name)
    return ""


def shown(file: str, line: int) -> str:
    """The place as people write it: relative where it lies below the working directory."""
    if not Path(file).is_file():
        return ""
    relative = os.path.relpath(file)
    return f"{file if relative.startswith('..') else relative}:{line}"


def _place_of_class(cls: type) -> str:
    source = _source(cls)
    return shown(*source[:2]) if source else ""


def _place_of_assignment(cls: type, name: str) -> str:
    """The last assignment to the name in the class's body."""
    source = _source(cls)
    if not source:
        return ""
    file, first, text = source
    try:
        body = ast.parse(text).body[0]
    except SyntaxError:  # such as a text that leaves the indentation
        return ""
    lines = [each.lineno for each in getattr(body, "body", ()) if name in _assigned(each)]
    return shown(file, first + lines[-1] - 1) if lines else ""


def _assigned(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _source(cls: type) -> tuple[str, int, str] | None:
    """The file of a class, its first line, and its text."""
    try:
        lines, first = inspect.getsourcelines(cls)
        file = inspect.getsourcefile(cls)
    except (OSError, TypeError):  # made at run time, or builtin
        return None
    return (file, max(first, 1), textwrap.dedent("".join(lines))) if file else None
