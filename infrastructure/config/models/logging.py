"""Settings of the logs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from infrastructure.config.models.base import Model


class LogFormat(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe level that is written."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class LogFile(Model):
    """A rotating log file."""

    path: Path
    format: LogFormat = LogFormat.JSON
    max_bytes: int = Field(default=10_000_000, gt=0, description="Size at which the file rotates.")
    backup_count: int = Field(default=5, ge=0, description="How many rotated files are kept.")


class LoggingConfig(Model):
    """The block `logging:`."""

    level: Annotated[LogLevel, BeforeValidator(_upper)] = LogLevel.INFO
    format: LogFormat = LogFormat.TEXT
    console: bool = Field(default=True, description="Whether lines go to standard error.")
    file: LogFile | None = None
    intercept_stdlib: bool = Field(
        default=True, description="Whether the standard library's logging goes to the same sinks."
    )
