"""Structured logs: settings in, redacted lines out."""

from infrastructure.config.models.logging import (
    AuditConfig,
    AuditFile,
    AuditKey,
    LogFile,
    LogFormat,
    LoggingConfig,
    LogLevel,
    LogQueue,
    LogRemote,
    Stream,
    StreamConfig,
    Streams,
)
from infrastructure.observability.logging.context import (
    accepted_correlation_id,
    bind_correlation_id,
    correlation_id,
    current_correlation_id,
    with_context,
)
from infrastructure.observability.logging.executors import (
    ContextExecutor,
    ContextThread,
    carrying,
)
from infrastructure.observability.logging.facade import Logger, get_logger
from infrastructure.observability.logging.handle import LoggingHandle
from infrastructure.observability.logging.port import LoggerPort
from infrastructure.observability.logging.recording import Recorded, RecordingLogger
from infrastructure.observability.logging.setup import setup_logging
from infrastructure.observability.logging.verification import (
    AuditBreak,
    AuditReport,
    verify_audit,
)

__all__ = [
    "AuditBreak",
    "AuditConfig",
    "AuditFile",
    "AuditKey",
    "AuditReport",
    "ContextExecutor",
    "ContextThread",
    "LogFile",
    "LogFormat",
    "LogLevel",
    "LogQueue",
    "LogRemote",
    "Logger",
    "LoggerPort",
    "LoggingConfig",
    "LoggingHandle",
    "Recorded",
    "RecordingLogger",
    "Stream",
    "StreamConfig",
    "Streams",
    "accepted_correlation_id",
    "bind_correlation_id",
    "carrying",
    "correlation_id",
    "current_correlation_id",
    "get_logger",
    "setup_logging",
    "verify_audit",
    "with_context",
]
