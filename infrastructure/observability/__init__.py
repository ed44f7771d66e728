"""What the program says about itself: logs."""

from infrastructure.observability.logging import (
    Logger,
    LoggingConfig,
    LoggingHandle,
    bind_correlation_id,
    correlation_id,
    current_correlation_id,
    get_logger,
    setup_logging,
    with_context,
)

__all__ = [
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
