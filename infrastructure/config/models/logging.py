"""Settings of the logs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from infrastructure.config.models.base import Model, Seconds, SecretUrl
from infrastructure.config.models.serialization import SigningSecret


class Stream(StrEnum):
    """What a line is about; each may have destinations of its own."""

    APP = "app"
    CONVERSATION = "conversation"
    API = "api"
    AUDIT = "audit"
    PERFORMANCE = "performance"


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


class AuditFailure(StrEnum):
    """What becomes of an audit line that cannot be written."""

    RAISE = "raise"
    """The caller gets an error, and does not do what nobody could account for."""
    COUNT = "count"
    """It is counted, and told on standard error."""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Level = Annotated[LogLevel, BeforeValidator(_upper)]


class LogQueue(Model):
    """A destination with a thread of its own, so that a slow one holds nobody up."""

    max_lines: int = Field(
        default=10_000, gt=0, description="Lines that may wait; beyond, the oldest are dropped."
    )
    close_seconds: Seconds = Field(
        default=5.0, description="How long closing waits for the lines that are left."
    )


class _Rotated(Model):
    """When a file is put aside, and what becomes of it."""

    path: Path
    max_bytes: int = Field(default=10_000_000, gt=0, description="Size at which the file rotates.")
    rotate_every_seconds: int | None = Field(
        default=None,
        gt=0,
        description="Age at which it does, counted from midnight: 86400 is daily, 3600 each hour.",
    )
    utc: bool = Field(default=False, description="Whether that midnight is UTC's, not ours.")
    compress: bool = Field(default=False, description="Whether rotated files are gzipped.")


class LogFile(_Rotated):
    """A rotating log file; any number of processes may write it."""

    format: LogFormat = LogFormat.JSON
    backup_count: int = Field(default=5, ge=0, description="How many rotated files are kept.")
    backup_days: float | None = Field(
        default=None, gt=0, description="Days after which a rotated file is deleted."
    )
    queue: LogQueue | None = None


class AuditKey(Model):
    """What seals the audit lines, so that who can write the file cannot compute them anew."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Stands in each line, and says which secret verifies it.",
    )
    secret: SigningSecret = Field(description="Who has it can write lines that verify.")


class AuditFile(_Rotated):
    """The file of the audit lines: numbered, chained by hashes, never dropped."""

    backup_count: int | None = Field(
        default=None, ge=1, description="How many rotated files are kept; all by default."
    )
    backup_days: float | None = Field(
        default=None, gt=0, description="Days after which a rotated file is deleted."
    )
    fsync: bool = Field(
        default=False, description="Whether each line is on the disk before its call returns."
    )
    on_failure: AuditFailure = AuditFailure.RAISE
    key: AuditKey | None = Field(
        default=None, description="Seals the lines by HMAC-SHA256; without it by SHA-256 alone."
    )


class LogRemote(Model):
    """An HTTP endpoint that takes JSON lines in batches."""

    url: SecretUrl
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    batch_lines: int = Field(default=500, gt=0, description="Lines sent at once, at most.")
    linger_seconds: Seconds = Field(
        default=1.0, description="How long a line waits for others to be sent with it."
    )
    timeout_seconds: Seconds = Field(default=5.0, description="Bound on each wait for the server.")
    max_backoff_seconds: Seconds = Field(
        default=30.0, description="Longest wait between two attempts; the first is half a second."
    )
    queue: LogQueue = Field(default_factory=LogQueue)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: SecretUrl) -> SecretUrl:
        if not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = f"{name}{value.get_secret_value()}"
            if not (text.isascii() and text.isprintable()):
                raise ValueError(f"the header {name!a} must be printable ASCII")
        return headers


class StreamConfig(Model):
    """Destinations and level of one stream; without destinations it goes to those of `logging:`."""

    level: Level | None = Field(default=None, description="By default that of `logging:`.")
    format: LogFormat | None = Field(default=None, description="By default that of `logging:`.")
    console: bool = False
    file: LogFile | None = None
    remote: LogRemote | None = None

    @property
    def has_destinations(self) -> bool:
        """Whether its lines leave the way of the app's."""
        return bool(self.console or self.file or self.remote)


class AuditConfig(Model):
    """The audit stream; its lines go to this file, whatever the levels say."""

    file: AuditFile


class Streams(Model):
    """The streams beside the app's, whose destinations stand in `logging:` itself."""

    conversation: StreamConfig | None = None
    api: StreamConfig | None = None
    performance: StreamConfig | None = None
    audit: AuditConfig | None = None


class LoggingConfig(Model):
    """The block `logging:`."""

    level: Level = LogLevel.INFO
    vendor_level: Level = Field(
        default=LogLevel.INFO,
        description="The least severe level taken from the standard library's loggers.",
    )
    levels: dict[str, Level] = Field(
        default_factory=dict,
        description="Levels of single loggers and those below them, such as `sqlalchemy.engine`.",
    )
    format: LogFormat = LogFormat.TEXT
    console: bool = Field(default=True, description="Whether lines go to standard error.")
    console_queue: LogQueue | None = None
    file: LogFile | None = None
    remote: LogRemote | None = None
    streams: Streams = Field(default_factory=Streams)
    intercept_stdlib: bool = Field(
        default=True, description="Whether the standard library's logging goes to the same sinks."
    )
