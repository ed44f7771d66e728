"""The environment is read in one place."""

import ast

import pytest

from tests.architecture.sources import ROOT, SOURCES, dotted, imports, parsed, place, python_files

READERS = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "posix.environ"}
READER = ROOT / "infrastructure" / "config"


def readings(tree: ast.AST) -> list[ast.AST]:
    uses: list[ast.AST] = [node for node in ast.walk(tree) if dotted(node) in READERS]
    return [*uses, *(node for node, name in imports(tree) if name in READERS)]


def test_every_way_of_reading_is_noticed() -> None:
    text = "import os\nfrom os import environ, getenv\nos.environ['A']\nos.getenv('A')\n"
    assert len(readings(ast.parse(text))) == 4


@pytest.mark.xdist_group("sources")
def test_only_the_configuration_reads_the_environment() -> None:
    others = [path for path in python_files(*SOURCES) if READER not in path.parents]
    assert [place(path, node) for path in others for node in readings(parsed(path))] == []
