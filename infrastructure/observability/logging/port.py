"""The port of the logs: what an application's code may ask of a logger."""

from typing import Any, Protocol, Self


class LoggerPort(Protocol):
    """Takes events, constant texts that can be searched for, with what varies in fields."""

    def bind(self, **fields: Any) -> Self:
        """A logger that adds these fields to every event."""
        ...

    def trace(self, event: str, /, **fields: Any) -> None:
        """Take what only a hunt for one fault needs."""
        ...

    def debug(self, event: str, /, **fields: Any) -> None:
        """Take what a developer needs."""
        ...

    def info(self, event: str, /, **fields: Any) -> None:
        """Take what an operator wants to know."""
        ...

    def warning(self, event: str, /, **fields: Any) -> None:
        """Take what went wrong and was coped with."""
        ...

    def error(self, event: str, /, **fields: Any) -> None:
        """Take what went wrong for a caller."""
        ...

    def critical(self, event: str, /, **fields: Any) -> None:
        """Take what ends the program."""
        ...

    def exception(self, event: str, /, **fields: Any) -> None:
        """Take an error together with the exception that is being handled."""
        ...
