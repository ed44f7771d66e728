"""The port of a real server on this machine: started without root, ended by its own pid."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self


class LocalServer(ABC):
    """A server process of ours on 127.0.0.1, on a free port.

    `start()` returns when a first real operation was answered. `stop()` ends the process that
    was started, and no other; it is harmless when nothing runs.

    Attributes:
        kind: The word the settings use, such as `redis`.
        url: Where it answers, after `start()`; includes the password it was started with.
    """

    kind: ClassVar[str]
    url: str = ""

    @classmethod
    @abstractmethod
    def reason_missing(cls) -> str:
        """Why this server cannot be had here, and what would help; empty when it can."""

    @abstractmethod
    def start(self) -> None:
        """Start and wait until it answers; harmless where it runs.

        Raises:
            UnavailableError: It did not answer within its start timeout, or ended; with the end
                of its log.
        """

    @abstractmethod
    def stop(self) -> None:
        """End the process and remove its files."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
