"""Haystack tells its makers about pipelines that run, unless told not to; LangChain if told to."""

import os

import pytest

from infrastructure.servers.postgres import PostgresServer

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["LANGSMITH_TRACING"] = "false"


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """One for all tests of a file: each has a schema of its own in it."""
    return postgres.create_database()
