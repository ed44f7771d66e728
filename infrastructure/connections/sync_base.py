"""The connection manager port for code without an event loop."""

import inspect
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from threading import RLock
from types import TracebackType
from typing import Any, ClassVar, Self

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.credentials import asking
from infrastructure.connections.opening import Opening
from infrastructure.connections.standing import ConnectionState, Standing
from infrastructure.connections.sync_calls import (
    SyncBounded,
    SyncCalling,
    bounds_of,
    seconds_left,
)
from infrastructure.connections.sync_drain import SyncDrain
from infrastructure.errors import (
    Category,
    ConfigurationError,
    DeadlineExceededError,
    InfrastructureError,
    classify,
)
from infrastructure.forks import remember
from infrastructure.health import Health, Status
from infrastructure.health.status import reason
from infrastructure.observability.metrics import CONNECT
from infrastructure.observability.telemetry import hook
from infrastructure.operations import Operation, observe_class
from infrastructure.resilience import deadline
from infrastructure.resilience.deadlines import Terms
from infrastructure.resilience.strategy import Strategy

_NOT_CHECKED = Health(Status.UNKNOWN, detail="not checked yet")


class BaseConnectionManager(Standing):
    """The twin of `AsyncBaseConnectionManager` for threads: the same life, without a loop.

    Any number of threads may share one. A call that finds it closed opens it, one thread for all;
    closing lets calls in flight end, for up to `drain_timeout_seconds`, and refuses new ones
    meanwhile. After a fork, the child opens connections of its own, and those of its parent stay
    as they are.

    Attributes:
        settings: The validated block; the twin has no block of its own.
        name: The provider path used in errors.
        operations: The public methods that call the backend; see `Component`.
        policy: What every operation is run under; None for nothing.
        credentials: Asked before each opening, where a password or a token changes by itself.
        drain: Counts the calls in flight.
        is_open: Whether it is open, as far as is known without asking.
    """

    Settings: ClassVar[type[ConnectionSettings]]
    operations: ClassVar[frozenset[str]] = frozenset({"execute_query"})
    policy: Strategy | None = None
    credentials: Callable[[], Mapping[str, Any]] | None = None
    drain: SyncDrain
    is_open: bool
    _turn: RLock

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        named = (vars(base).get("operations", ()) for base in cls.__mro__)
        cls.operations = frozenset().union(*named)
        observe_class(cls, cls.operations)

    def __init__(self, settings: ConnectionSettings, *, name: str = "") -> None:
        self.settings = settings
        self.name = name or str(settings.kind)
        self._terms = bounds_of(settings.timeout_seconds, self.name)
        self._begin_life()
        remember(self.leave_to_parent)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disconnect()

    @property
    def state(self) -> ConnectionState:
        """Where it is in its life, as far as is known without asking."""
        if self.drain.is_closing:
            return ConnectionState.CLOSED
        if self._is_connecting:
            return ConnectionState.CONNECTING
        return self._state(is_open=self.is_open)

    def connect(self) -> None:
        """Open if needed; one thread opens, the others wait for it.

        Raises:
            InfrastructureError: It could not be opened within `connect_timeout_seconds`.
        """
        if self.is_open:
            return
        seconds = self.settings.connect_timeout_seconds
        with deadline(seconds, self.name, interrupts=False):  # the wait for others included
            if not self._turn.acquire(timeout=seconds_left(seconds)):
                raise DeadlineExceededError(seconds, where=self.name)
            try:
                if not self.is_open:
                    self._open_first()
            finally:
                self._turn.release()

    def disconnect(self) -> None:
        """Let the calls in flight end and close; harmless when never opened or closed already."""
        with self.drain.closing(self.settings.drain_timeout_seconds):
            self._closed()
        if self._closed_as is not ConnectionState.NEW:
            self._closed_as = ConnectionState.CLOSED

    def is_healthy(self) -> bool:
        """What the last call or check said; False before the first."""
        return self._health.is_up

    def health_check(self) -> Health:
        """Open if needed and try one real operation, within `connect_timeout_seconds`."""
        seconds = self.settings.connect_timeout_seconds
        started = time.perf_counter()
        try:
            with deadline(seconds, self.name, interrupts=False):
                detail = self._proof_of_life(seconds)
            health = Health(Status.UP, time.perf_counter() - started, detail)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer
            is_overload = classify(error) is Category.OVERLOAD
            status = Status.DEGRADED if is_overload else Status.DOWN
            health = Health(status, time.perf_counter() - started, reason(error))
        self._remember(health)
        return health

    def rotate(self, **changes: Any) -> bool:
        """Go on with other settings, such as `rotate(password=...)`; say whether any differed.

        Where it is open, calls in flight end first and new ones wait until it is open again.

        Raises:
            ConfigurationError: They are no settings of this kind; the old ones stay.
            InfrastructureError: It could not be opened with them; the next call tries again.
        """
        self.changed(changes, by="`rotate`")
        with self.drain.pausing(self.settings.drain_timeout_seconds), self._turn:
            settings = self.changed(changes, by="`rotate`")
            if settings == self.settings:
                return False
            was_open = self.is_open
            self.settings = settings  # before closing, which may fail
            self._way = Opening(settings, self.name)
            self._closed()
            if was_open:
                self.connect()
        return True

    def trace_attributes(self) -> Mapping[str, str]:
        """What spans and metrics say beside name and kind: few values each, and no secrets."""
        return {}

    @property
    def terms(self) -> Terms:
        """What the bounds of its calls have in common, by the settings that count now."""
        if self._terms.seconds != self.settings.timeout_seconds:
            self._terms = bounds_of(self.settings.timeout_seconds, self.name)
        return self._terms

    def calling(self) -> SyncCalling:
        """Around a whole call: opened if needed, bounded, its errors ours, closing waits for it."""
        return SyncCalling(self)

    def bounded(self) -> SyncBounded:
        """Around a piece of work on what is open: bounded, and its errors ours."""
        return SyncBounded(self)

    def begin_call(self) -> SyncDrain:
        """Count a call and open if needed; its end is to be told to what this gives."""
        drain = self.drain
        drain.begin(self.settings.timeout_seconds)
        if not self.is_open:
            try:
                self.connect()
            except BaseException:
                drain.end()
                raise
        return drain

    @abstractmethod
    def _open(self) -> None:
        """Create the client; called once per opening, for as long as `seconds_left` says."""

    @abstractmethod
    def _close(self) -> None:
        """Release what `_open` created, in whatever thread that is in use."""

    @abstractmethod
    def _disown(self) -> None:
        """Let go, in a forked child, of what belongs to its parent: neither use nor close it."""

    @abstractmethod
    def _ping(self) -> str:
        """Try one real operation; say in one line what answered.

        Raises:
            InfrastructureError: No answer, or a refusal.
        """

    def leave_to_parent(self) -> None:
        """Begin anew in a forked child."""
        self._disown()
        self._begin_life()

    def _begin_life(self) -> None:
        self._health = _NOT_CHECKED
        self._closed_as = ConnectionState.NEW
        self._way = Opening(self.settings, self.name)
        self._turn = RLock()
        self._is_connecting = False
        self.is_open = False
        self.drain = SyncDrain(self.name)

    def _proof_of_life(self, seconds: float) -> str:
        drain = self.drain
        drain.begin(seconds)
        try:
            self.connect()
            return self._ping()
        finally:
            drain.end()

    def _open_first(self) -> None:
        self._is_connecting = True
        try:
            self._way.run_sync(self._open_once)
        except InfrastructureError as error:
            self._closed_as = ConnectionState.UNAVAILABLE
            self.note_failure(error)
            raise
        finally:
            self._is_connecting = False
        self._closed_as = ConnectionState.CLOSED

    def _open_once(self) -> None:
        self._renew()
        hook.notice()
        with Operation(self, CONNECT):
            self._open()
        self._health = Health(Status.UP, detail="connected")
        self.is_open = True

    def _closed(self) -> None:
        with self._turn:
            was_open, self.is_open = self.is_open, False
            self._health = Health(Status.UNKNOWN, detail="closed")
            if was_open:
                with deadline(self.settings.connect_timeout_seconds, self.name, interrupts=False):
                    self._close()

    def _renew(self) -> None:
        """Take the credentials that count now."""
        if self.credentials is None:
            return
        with asking(self.name):
            found = self.credentials()
        if inspect.isawaitable(found):
            raise ConfigurationError(
                "its credentials are to be awaited, and there is no event loop",
                where=self.name,
                hint="Give a plain function.",
            )
        self.settings = self.changed(found, by="`credentials`")
