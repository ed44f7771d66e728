"""The connection that limits of many processes are counted in."""

from collections.abc import Callable
from typing import Any, Protocol


class Executes(Protocol):
    """A connection to Redis: the connection manager of kind redis is one."""

    async def execute(self, *command: Any) -> Any:
        """Send one command, never repeated, and give its answer; or raise our errors."""
        ...


#: From the path of a connection to its provider, which is asked for the connection each time.
Connections = Callable[[str], Callable[[], Executes]]


class LateConnection:
    """A connection that is looked up when it is first needed: it may name a policy itself."""

    def __init__(self, connections: Connections, path: str) -> None:
        self._connections = connections
        self._path = path
        self._provider: Callable[[], Executes] | None = None

    async def execute(self, *command: Any) -> Any:
        """Send one command and give its answer."""
        if self._provider is None:
            self._provider = self._connections(self._path)
        return await self._provider().execute(*command)
