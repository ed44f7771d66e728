"""Credentials that change by themselves, as they are now."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infrastructure.errors import InfrastructureError, UnavailableError
from infrastructure.resilience import SingleFlight, deadline

if TYPE_CHECKING:
    from infrastructure.connections.base import AsyncBaseConnectionManager, Credentials


class CurrentSettings:
    """The settings of a manager with what its `credentials` say now.

    Who asks while another is asking gets the same answer.

    Args:
        manager: Whose; `connect_timeout_seconds` of its settings is the longest wait.
    """

    def __init__(self, manager: "AsyncBaseConnectionManager") -> None:
        self._manager = manager
        self._asking: SingleFlight[Any] = SingleFlight()

    async def take(self) -> Any:
        """Ask, where there is somebody to ask.

        Raises:
            ConfigurationError: What was said does not fit the settings of this kind.
            DeadlineExceededError: Nothing was said in time.
            UnavailableError: Asking failed.
        """
        manager, credentials = self._manager, self._manager.credentials
        if credentials is None:
            return manager.settings
        async with deadline(manager.settings.connect_timeout_seconds, manager.name):
            changes = await self._asking.do("", lambda: self._ask(credentials))
        # of the settings as they are now: they may have changed meanwhile
        return manager.changed(changes, by="`credentials`")

    async def _ask(self, credentials: "Credentials") -> Any:
        with asking(self._manager.name):
            found = credentials()
            return await found if inspect.isawaitable(found) else found


@contextmanager
def asking(where: str) -> Iterator[None]:
    """Around the question for credentials: what it fails with is ours, or becomes it.

    Raises:
        UnavailableError: It failed with an error of another origin.
    """
    try:
        yield
    except InfrastructureError:
        raise
    except Exception as error:
        raise UnavailableError(
            f"`credentials` failed ({type(error).__name__})", where=where, hint="See the cause."
        ) from error
