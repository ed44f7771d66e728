"""The logs of containers: started and ended with them, and kept apart where they can be told."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from containers import Container
from containers.errors import ContainerError
from infrastructure.observability.logging import get_logger

log = get_logger("shop")
Start = Callable[[str], Awaitable[Any]]


@pytest.fixture
async def start(tmp_path: Path):
    """A started container whose logs are in the file of this name."""
    async with AsyncExitStack() as stack:

        async def begin(name: str) -> Any:
            overrides = {
                "logging.level": "INFO",
                "logging.console": False,
                "logging.file.path": str(tmp_path / name),
                "logging.streams.audit.file.path": str(tmp_path / f"{name}.audit"),
                **{f"paths.{path}": str(tmp_path / path) for path in ("data", "logs", "results")},
            }
            container = Container(profile="test", environ={}, overrides=overrides)
            return await stack.enter_async_context(container)

        yield begin


def events(path: Path) -> list[str]:
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return [line["event"] for line in lines if line["logger"] in {"shop", "vendor"}]


async def test_line_in_a_scope_reaches_its_container_only(start: Start, tmp_path: Path) -> None:
    first, second = await start("first"), await start("second")
    with first.scope():
        log.info("first's")
        with second.scope():
            logging.getLogger("vendor").warning("second's")
    log.info("everybody's")
    assert events(tmp_path / "first") == ["first's", "everybody's"]
    assert events(tmp_path / "second") == ["second's", "everybody's"]


async def test_logger_of_a_container_reaches_that_one_only(start: Start, tmp_path: Path) -> None:
    first, _ = await start("first"), await start("second")
    first.logging().get_logger("shop").info("mine")
    assert (events(tmp_path / "first"), events(tmp_path / "second")) == (["mine"], [])


async def test_audit_line_in_a_scope_is_in_one_chain_only(start: Start, tmp_path: Path) -> None:
    first, _ = await start("first"), await start("second")
    with first.scope():
        get_logger("shop", stream="audit").info("paid")
    assert events(tmp_path / "first.audit") == ["paid"]
    assert events(tmp_path / "second.audit") == []


def test_logger_of_a_container_that_is_not_started_is_refused() -> None:
    with pytest.raises(ContainerError, match="Start the container first"):
        Container(profile="test", environ={}).logging().get_logger("shop")
