"""Who is told of the calls that components make to their backends.

Nobody is, until somebody asks: a host that sets an OpenTelemetry tracer provider before its
components open is noticed, `enable()` says it in so many words, and `listen` adds anything else
that wants to know. It is one setting of the process, as OpenTelemetry's providers are.
"""

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final, Protocol

from infrastructure.errors import ConfigurationError
from infrastructure.observability.metrics import Measurement, counter

#: Imported by name, as a backend is: only where its package is there and somebody listens.
_OPENTELEMETRY: Final = "infrastructure.observability.opentelemetry"


class Observable(Protocol):
    """What a call is made on."""

    settings: Any
    name: str

    def trace_attributes(self) -> Mapping[str, str]:
        """What else tells it from others: few values, no secrets."""
        ...


class Watch(Protocol):
    """One call, as one listener follows it."""

    def resume(self) -> None:
        """The call's own code runs from now on, in this context."""
        ...

    def pause(self) -> None:
        """It stops running here: the call is over, or a stream waits for its reader."""
        ...

    def end(self, error: BaseException | None) -> None:
        """It is over; `error` is what it raised."""
        ...


class Listener(Protocol):
    """Told of every call of every component; quick, without I/O, and safe in any thread."""

    def begin(self, component: Observable, operation: str) -> Watch:
        """A call begins; follow it."""
        ...


class Hook:
    """The listeners there are, and how often one of them failed.

    Attributes:
        on: Whether anybody listens; looked at before each call.
        failures: Exceptions of listeners, which never reach the call.
    """

    __slots__ = ("_is_refused", "_listeners", "failures", "on")

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._is_refused = False
        self.failures = 0
        self.on = False

    def listen(self, listener: Listener) -> None:
        """Tell this one too."""
        self._set((*self._listeners, listener))

    def leave(self, listener: Listener) -> None:
        """Tell this one no more; harmless when it was not told."""
        self._set(tuple(one for one in self._listeners if one is not listener))

    def begin(self, component: Observable, operation: str) -> "Watches":
        """Let every listener follow a call."""
        watches = Watches(self)
        for listener in self._listeners:
            try:
                watches.append(listener.begin(component, operation))
            except Exception:  # noqa: BLE001 - a listener's failure is not the call's
                self.failures += 1
        return watches

    def enable(self, *, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        """Make spans and metrics through OpenTelemetry, by its global providers unless given.

        Raises:
            ConfigurationError: The package `opentelemetry-api` is not installed.
        """
        try:
            vendor = import_module(_OPENTELEMETRY)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"telemetry needs the package '{error.name}'",
                hint='Install it with: pip install "switchgear[telemetry]"',
            ) from error
        self.disable()
        self._is_refused = False
        self.listen(vendor.OpenTelemetryListener(tracer_provider, meter_provider))

    def disable(self) -> None:
        """End what `enable` began; a provider that is there is no longer noticed."""
        self._is_refused = True
        self._set(tuple(one for one in self._listeners if not _is_opentelemetry(one)))

    def notice(self) -> None:
        """Enable when the host has set a tracer provider; asked when a component opens."""
        if self._is_refused or "opentelemetry.trace" not in sys.modules:
            return
        is_enabled = any(map(_is_opentelemetry, self._listeners))
        if not is_enabled and import_module(_OPENTELEMETRY).is_provided():
            self.enable()

    def measurements(self) -> Iterable[Measurement]:
        """How often a listener failed."""
        yield counter("switchgear.telemetry.failures", self.failures, unit="{failure}")

    def _set(self, listeners: tuple[Listener, ...]) -> None:
        self._listeners, self.on = listeners, bool(listeners)


class Watches(list[Watch]):
    """A call as all listeners follow it."""

    __slots__ = ("_hook",)

    def __init__(self, hook: Hook) -> None:
        super().__init__()
        self._hook = hook

    def resume(self) -> None:
        """The call's code runs from now on."""
        for watch in self:
            self._tell(watch.resume)

    def pause(self) -> None:
        """It stops running; the last told is first."""
        for watch in reversed(self):
            self._tell(watch.pause)

    def end(self, error: BaseException | None) -> None:
        """It is over."""
        for watch in reversed(self):
            self._tell(watch.end, error)

    def _tell(self, step: Any, *args: Any) -> None:
        try:
            step(*args)
        except Exception:  # noqa: BLE001 - a listener's failure is not the call's
            self._hook.failures += 1


def _is_opentelemetry(listener: Listener) -> bool:
    return type(listener).__module__ == _OPENTELEMETRY


#: The one hook of the process.
hook = Hook()
listen, leave = hook.listen, hook.leave
enable, disable = hook.enable, hook.disable
