"""Programs written for plain dependency-injector, imported under other import lines.

A dialect is a package of its own name over the folder `programs`: `plain` as written, `base` with
our base classes and dependency-injector's providers, `ours` with our providers and `inject` too.
Nothing but import lines differs.
"""

import ast
import importlib
import importlib.machinery
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from dependency_injector import wiring

PROGRAMS = Path(__file__).resolve().parent / "programs"
DIALECTS = ("plain", "base", "ours")
_IMPORT = re.compile(r"^from dependency_injector import ([\w, ]+)$", re.MULTILINE)


def program_names() -> Iterator[tuple[str, str]]:
    """The module, relative to the folder, and the name of every program."""
    for file in sorted(PROGRAMS.rglob("*.py")):
        module = ".".join(file.relative_to(PROGRAMS).with_suffix("").parts)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            name = getattr(node, "name", "")
            if name.startswith("program_"):
                yield module, name


def translated(source: str, dialect: str) -> str:
    """The source with the import lines of a dialect; every line keeps its number."""
    if dialect == "plain":
        return source
    home = "dependency_injector" if dialect == "base" else "containers"
    source = _IMPORT.sub(lambda found: _imports(found[1].split(", "), home), source)
    return _with_our_inject(source) if dialect == "ours" else source


def _imports(names: list[str], home: str) -> str:
    lines = {"containers": "import containers", "providers": f"from {home} import providers"}
    return "; ".join(lines.get(name, f"from dependency_injector import {name}") for name in names)


def _with_our_inject(source: str) -> str:
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ImportFrom) or node.module != "dependency_injector.wiring":
            continue
        if any(one.name == "inject" for one in node.names):
            last = (node.end_lineno or node.lineno) - 1
            lines[last] = lines[last].rstrip("\n") + "; from containers import inject\n"
    return "".join(lines)


class _Translator(importlib.machinery.SourceFileLoader):
    """Compiles a program in its dialect, and leaves no byte code for another one to find."""

    def get_code(self, fullname: str) -> Any:
        text = self.get_data(self.path).decode()
        dialect = fullname.partition(".")[0].removeprefix("programs_")
        return compile(translated(text, dialect), self.path, "exec", dont_inherit=True)


class _Finder:
    """Finds `programs_<dialect>` and what is in it."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Any:
        top, _, rest = name.partition(".")
        if top.removeprefix("programs_") not in DIALECTS or not top.startswith("programs_"):
            return None
        place = PROGRAMS.joinpath(*rest.split(".")) if rest else PROGRAMS
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        spec = importlib.machinery.ModuleSpec(
            name, _Translator(name, str(file)), origin=str(file), is_package=place.is_dir()
        )
        spec.has_location = True
        if place.is_dir():
            spec.submodule_search_locations = [str(place)]
        return spec


def load(module: str, dialect: str) -> ModuleType:
    """A fresh import of a program's module, and of all it imports from the folder."""
    forget()
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    return importlib.import_module(f"programs_{dialect}.{module}")


def forget() -> None:
    """Take every program's module out of the interpreter, and out of what remembers it."""
    for name in [name for name in sys.modules if name.startswith("programs_")]:
        _unpatch(sys.modules.pop(name))
        inspect._filesbymodname.pop(name, None)  # type: ignore[attr-defined]  # not in the stubs
    for file in [file for file in inspect.modulesbyfile if file.startswith(str(PROGRAMS))]:
        del inspect.modulesbyfile[file]
    for clear in typing._cleanups:  # type: ignore[attr-defined]  # caches of subscripted classes
        clear()


def _unpatch(module: ModuleType) -> None:
    """Take a module out of dependency-injector's register, which forgets nothing by itself."""
    register = wiring._patched_registry
    register.clear_module_attributes(module)
    for function in list(register.get_callables_from_module(module)):
        del register._callables[function]
