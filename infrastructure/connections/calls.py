"""What stands around the calls of a driver: one deadline, one translation, one memory."""

import asyncio
from typing import TYPE_CHECKING, Self

from infrastructure.errors import InfrastructureError
from infrastructure.resilience.deadlines import Deadline

if TYPE_CHECKING:
    from infrastructure.connections.base import AsyncBaseConnectionManager


class Bounded(Deadline):
    """`async with` around a piece of a call: its time bounded, its errors ours, its end noted.

    Args:
        manager: Whose call; `timeout_seconds` of its settings is the bound.
    """

    __slots__ = ("_manager",)

    def __init__(self, manager: "AsyncBaseConnectionManager") -> None:
        super().__init__(manager.settings.timeout_seconds, manager.name)
        self._manager = manager

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            await super().__aexit__(None, None, None)
            self._manager.note_answer()
            return
        try:
            await super().__aexit__(kind, error, trace)
        except InfrastructureError as late:
            self._manager.note_failure(late)
            raise
        ours = self._manager.noted(error)
        if ours is not None and ours is not error:
            raise ours from error


class Calling(Bounded):
    """A whole call: it opens the connection if needed, and closing waits for its end."""

    __slots__ = ()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        manager = self._manager
        try:
            await manager.drain.begin()
            try:
                if manager.loop is not asyncio.get_running_loop():
                    await manager.connect()
            except BaseException:
                manager.drain.end()
                raise
        except BaseException as error:
            await super().__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._manager.drain.end()
        await super().__aexit__(kind, error, trace)
