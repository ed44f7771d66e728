"""Structured logs: settings in, redacted lines out."""

from infrastructure.config.models.logging import LogFile, LogFormat, LoggingConfig, LogLevel
from infrastructure.observability.logging.context import (
    bind_correlation_id,
    correlation_id,
    current_correlation_id,
    with_context,
)
from infrastructure.observability.logging.facade import Logger, get_logger
from infrastructure.observability.logging.setup import LoggingHandle, setup_logging

__all__ = [
    "LogFile",
    "LogFormat",
    "LogLevel",
    "Logger",
    "LoggingConfig",
    "LoggingHandle",
    "bind_correlation_id",
    "correlation_id",
    "current_correlation_id",
    "get_logger",
    "setup_logging",
    "with_context",
]
