"""The base of everything that is opened, checked and closed."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, Self

from infrastructure.errors import Category, ConfigurationError, UnavailableError, classify
from infrastructure.forks import remember
from infrastructure.health import Health, Status
from infrastructure.health.status import reason
from infrastructure.observability.metrics import CONNECT
from infrastructure.observability.telemetry import hook
from infrastructure.operations import Operation, observe_class
from infrastructure.resilience import SingleFlight, deadline
from infrastructure.resilience.strategy import Strategy


class Component(ABC):
    """Something with a life: constructed without I/O, opened on first use, closed once.

    A component belongs to the event loop that opened it. In another loop, once the first is no
    longer running, it opens anew; while the first still runs, using it elsewhere is an error, and
    closing it from elsewhere closes it there.
    In a forked process it opens anew, too.
    `disconnect()` may be called twice; `connect()` after it opens again.

    Attributes:
        settings: The validated block; `connect_timeout_seconds` bounds opening and checking.
        name: The provider path used in errors, such as `cache.default`.
        closes_anywhere: What `_open` made is bound to no event loop, so that `_close` works in
            another one; what is bound to a loop that is gone is left to be collected.
        operations: The public methods that call the backend; those of a subclass come on top of
            its bases'. Each is seen by telemetry and guarded by `policy`, without a word in the
            class that writes it: coroutine functions, async iterators and plain functions.
        policy: What every operation is run under; None for nothing.
    """

    closes_anywhere: ClassVar[bool] = False
    operations: ClassVar[frozenset[str]] = frozenset()
    policy: Strategy | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        named = (vars(base).get("operations", ()) for base in cls.__mro__)
        cls.operations = frozenset().union(*named)
        observe_class(cls, cls.operations)

    def __init__(self, settings: Any, *, name: str = "") -> None:
        self.settings = settings
        self.name = name or str(settings.kind)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: SingleFlight[None] = SingleFlight()
        self._opener: asyncio.Task[Any] | None = None
        self._closings = 0
        remember(self._after_fork)
        self._health = Health(Status.UNKNOWN, detail="not checked yet")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        """Open if needed; concurrent callers share one attempt.

        Raises:
            InfrastructureError: It could not be opened within `connect_timeout_seconds`, or was
                closed meanwhile.
        """
        if self._loop is not asyncio.get_running_loop():
            # who comes after a closing has no part in what was being opened before it
            await self._opening.do(self._closings, self._open_unless_closed)

    async def disconnect(self) -> None:
        """Close; harmless when never opened or closed already."""
        home = self._loop
        if home is None or self.closes_anywhere or not _runs_elsewhere(home):
            self._closings += 1
            await self._shut()
            return
        async with deadline(self.settings.connect_timeout_seconds, self.name):
            closing = asyncio.run_coroutine_threadsafe(Component.disconnect(self), home)
            await asyncio.shield(asyncio.wrap_future(closing))  # it ends there, however late

    def _after_fork(self) -> None:
        """Be closed, in a forked child: what is open is the parent's, and stays so.

        It is kept, for its end would be said over the parent's sockets.
        """
        self._of_parent = dict(vars(self))
        self._loop = self._opener = None
        self._opening = SingleFlight()
        self._health = Health(Status.UNKNOWN, detail="not checked since the fork")

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop it is open in; None while it is closed."""
        return self._loop

    def trace_attributes(self) -> Mapping[str, str]:
        """What spans and metrics say beside name and kind: few values each, and no secrets."""
        return {}

    def is_healthy(self) -> bool:
        """What the last check said; False before the first."""
        return self._health.is_up

    async def health_check(self) -> Health:
        """Open if needed and try one real operation, within `connect_timeout_seconds`."""
        started = time.perf_counter()
        try:
            async with deadline(self.settings.connect_timeout_seconds, self.name):
                detail = await self._proof_of_life()
            health = Health(Status.UP, time.perf_counter() - started, detail)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer
            is_overload = classify(error) is Category.OVERLOAD
            status = Status.DEGRADED if is_overload else Status.DOWN
            health = Health(status, time.perf_counter() - started, reason(error))
        self._remember(health)
        return health

    async def _proof_of_life(self) -> str:
        """What answers the health check."""
        await self.connect()
        return await self._ping()

    def _remember(self, health: Health) -> None:
        self._health = health

    async def _open_unless_closed(self) -> None:
        """Open; what was closed meanwhile does not stay open behind whoever closed it."""
        here, before = asyncio.get_running_loop(), self._closings
        async with deadline(self.settings.connect_timeout_seconds, self.name):
            while (last := self._opener) is not None and last.get_loop() is here:
                await asyncio.wait((last,))  # closed, or given up by all, it still clears away
        self._refuse_second_loop()
        task = self._opener = asyncio.current_task()
        try:
            if self._closings == before:
                await self._open_once()
                if self._closings == before:
                    return
                await self._shut()
            raise UnavailableError("closed while it was being opened", where=self.name)
        finally:
            if self._opener is task:
                self._opener = None  # which would keep what it failed with

    async def _open_once(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        hook.notice()
        # Of its own, also inside the call that has opened it: who waited for what is to be seen.
        with Operation(self, CONNECT):
            async with deadline(self.settings.connect_timeout_seconds, self.name):
                await self._open()
        self._loop = loop
        self._health = Health(Status.UP, detail="connected")

    async def _shut(self) -> None:
        loop, self._loop = self._loop, None
        self._health = Health(Status.UNKNOWN, detail="closed")
        if loop is not None and (self.closes_anywhere or loop is asyncio.get_running_loop()):
            async with deadline(self.settings.connect_timeout_seconds, self.name):
                await self._close()

    def _refuse_second_loop(self) -> None:
        opener = self._opener  # looked at first: it has set the loop when it ends
        for home in (self._loop, opener.get_loop() if opener else None):
            if home is not None and _runs_elsewhere(home):
                raise ConfigurationError(
                    "used from two running event loops at once",
                    where=self.name,
                    hint="Give each thread its own container.",
                )

    @abstractmethod
    async def _open(self) -> None:
        """Create the client for the running loop; called once per opening, bounded by us."""

    @abstractmethod
    async def _close(self) -> None:
        """Release what `_open` created."""

    @abstractmethod
    async def _ping(self) -> str:
        """Try one real operation; say in one line what answered.

        Raises:
            InfrastructureError: No answer, or a refusal.
        """


def _runs_elsewhere(loop: asyncio.AbstractEventLoop) -> bool:
    return loop is not asyncio.get_running_loop() and loop.is_running()
