"""What the program says about itself: logs, telemetry, measurements, durations."""

from typing import TYPE_CHECKING, Any

from infrastructure.observability.metrics import Instrument, Measured, Measurement

if TYPE_CHECKING:
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
    from infrastructure.observability.performance import PerformanceMonitor

__all__ = [
    "Instrument",
    "Logger",
    "LoggingConfig",
    "LoggingHandle",
    "Measured",
    "Measurement",
    "PerformanceMonitor",
    "bind_correlation_id",
    "correlation_id",
    "current_correlation_id",
    "get_logger",
    "setup_logging",
    "with_context",
]


def __getattr__(name: str) -> Any:
    # what counts and what is watched stands below every component; it must not bring in loguru
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module 'infrastructure.observability' has no attribute '{name}'")
    home = "performance" if name == "PerformanceMonitor" else "logging"
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value
