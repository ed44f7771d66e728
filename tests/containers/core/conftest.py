"""Each test of the lifecycle reads a log of its own."""

import pytest

from tests.containers.core import living


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    living.LOG.clear()
