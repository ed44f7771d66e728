"""A container for each test, taken back at its end."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies import models

from tests.containers.integrations.shop import Shop, SyncShop


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """Litestar gives the root logger a handler and a level of its own, for each application."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def shop() -> Iterator[Any]:
    """A container that needs an event loop."""
    yield from _unwired(Shop())


@pytest.fixture
def sync_shop() -> Iterator[Any]:
    """A container that needs none."""
    yield from _unwired(SyncShop())


def _unwired(container: Any) -> Iterator[Any]:
    yield container
    container.unwire()
    for remembering in vars(models).values():
        if hasattr(remembering, "cache_clear"):  # FastAPI keeps the functions it has looked at
            remembering.cache_clear()
