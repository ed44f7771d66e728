"""The project's own files, read once for all the tests that look at them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("infrastructure", "containers")
_BUILT = {"build", "dist", "__pycache__", "_resources"}


def python_files(*folders: str) -> list[Path]:
    """Every module below the folders, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def text_files() -> Iterator[Path]:
    """Every file of the project that people read, without what was built or is hidden."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if not any(part.startswith(".") or part in _BUILT for part in parts[:-1]) and (
            path.suffix in {".py", ".md", ".yaml", ".toml", ".txt", ".json", ".ini"}
            or path.name in {"Makefile", "run"}
        ):
            yield path


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def place(path: Path, node: ast.AST | None = None) -> str:
    """Where something stands, for a message."""
    line = f":{node.lineno}" if node is not None and hasattr(node, "lineno") else ""
    return f"{path.relative_to(ROOT)}{line}"


def module_name(path: Path) -> str:
    """The dotted name a module is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Each imported module, wherever the statement stands; names of `from` as submodules too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module
            yield from ((node, f"{node.module}.{name.name}") for name in node.names)


def dotted(node: ast.AST) -> str:
    """`os.environ` of an attribute, `print` of a name; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""
