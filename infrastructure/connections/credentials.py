"""Credentials that change by themselves, as they are now."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from infrastructure.errors import ConfigurationError, InfrastructureError, UnavailableError
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
            return await self._asking.do("", lambda: self._ask(credentials))

    async def _ask(self, credentials: "Credentials") -> Any:
        manager = self._manager
        try:
            found = credentials()
            changes = await found if inspect.isawaitable(found) else found
        except InfrastructureError:
            raise
        except Exception as error:
            raise UnavailableError(
                f"`credentials` failed ({type(error).__name__})",
                where=manager.name,
                hint="See the cause.",
            ) from error
        if not isinstance(changes, Mapping):
            raise self._misfit(f"expected settings by name, found {type(changes).__name__}")
        try:
            return manager._changed(changes)  # noqa: SLF001 - the other half of the manager
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False, include_context=False)
            said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong)
            raise self._misfit(said) from None  # whose text may quote a secret

    def _misfit(self, said: str) -> ConfigurationError:
        return ConfigurationError(
            f"what `credentials` gave does not fit: {said}", where=self._manager.name
        )
