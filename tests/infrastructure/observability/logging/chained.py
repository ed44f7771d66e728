"""Audit lines without a logger."""

from pathlib import Path
from typing import Any

from infrastructure.observability.logging import AuditFile
from infrastructure.observability.logging.audit import ChainedFile
from infrastructure.observability.logging.entries import Entry


def written(path: Path, lines: int, **settings: Any) -> None:
    """Write that many lines."""
    file = ChainedFile(AuditFile(path=path, **settings))
    for number in range(lines):
        file.append(entry(f"event {number}"))
    file.close()


def entry(event: str) -> Entry:
    """What an audit line says."""
    return Entry("2026-01-01", "INFO", "audit", "test", event, "here:1")
