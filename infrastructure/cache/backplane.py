"""How a storage that others change tells of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

#: Told which keys have changed; None says that any may have.
Changed = Callable[[Collection[str] | None], None]


class Backplane(ABC):
    """Tells of every change in a storage, whoever makes it; also of values that expire.

    Who keeps copies may serve them while `is_live` only: what changes at other times is never
    told. When it becomes live, again or for the first time, and when it ceases to be, it says
    that any key may have changed, before anything else.
    """

    @property
    @abstractmethod
    def is_live(self) -> bool:
        """Whether changes are heard now, and none was missed since it said so."""

    @abstractmethod
    def start(self, changed: Changed) -> None:
        """Listen, in a task of this event loop."""

    @abstractmethod
    async def wait_live(self) -> None:
        """Wait until changes are heard; the caller bounds the wait."""

    @abstractmethod
    async def stop(self) -> None:
        """Listen no more; harmless when it never did."""
