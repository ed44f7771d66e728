"""What every integration does: wire, live as long as the application, refuse open markers."""

import functools
import inspect
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from containers.core import functions, wiring
from containers.core.container import Methods
from containers.core.markers import marked, place_of
from containers.errors import ContainerError, WiringError
from containers.integrations.asgi import ScopeMiddleware

_ADVICE = "Put @inject directly above `def`, below the decorators of the framework:"


class Wiring:
    """The container fills every injected function, also later ones, while the application is there.

    It ends when the application says so, or is thrown away, for it is the application's own. What
    the user has wired himself stays wired.

    Raises (on construction):
        ContainerError: The application has a container already.
        WiringError: An injected parameter that no wired container can fill.
    """

    def __init__(self, container: Any, *, is_set_up: bool) -> None:
        if is_set_up:
            raise ContainerError(
                "this application was set up before",
                where="containers",
                hint="Call setup once, with the one container of the application.",
            )
        self.container = container
        self.is_there = False
        self._take_back: weakref.finalize[..., Any] | None = None
        self.begin()

    def begin(self) -> None:
        """Wire the container, unless this is so already."""
        if self._take_back is None:
            wired = wiring.wire(self.container, None)
            self._take_back = weakref.finalize(self, wiring.take_back, wired)
            self._take_back.atexit = False
            self.is_there = True

    def end(self) -> None:
        """Take that back: the application has ended; it may begin again."""
        self.is_there = False
        take_back, self._take_back = self._take_back, None
        if take_back is not None:
            take_back()


class WiredMiddleware(ScopeMiddleware):
    """That of an application: the container is wired whenever there is something to serve."""

    def __init__(self, app: Any, wiring: Wiring, request: Callable[[Any], Any]) -> None:
        super().__init__(app, wiring.container, request=request)
        self._wiring = wiring

    def __call__(self, connection: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Serve one connection."""
        if not self._wiring.is_there:
            self._wiring.begin()
        return ScopeMiddleware.__call__(self, connection, receive, send)


@asynccontextmanager
async def running(wiring: Wiring) -> AsyncIterator[None]:
    """Start the container and stop it; one that runs already is left to whoever started it.

    The wiring of the application ends too.
    """
    container = wiring.container
    async with AsyncExitStack() as stack:
        stack.callback(wiring.end)
        if not functions.is_started(container):
            await functions.start(container)
            stack.push_async_exit(functools.partial(Methods.__aexit__, container))
        yield


def open_markers(called: Any) -> Iterator[str]:
    """A sentence for each marker in the signature of what a framework calls.

    The framework sees a parameter of its own there, and would hand the marker over as it is.
    """
    for function in _functions(called):
        for parameter in marked(function, {}):
            name = getattr(function, "__qualname__", repr(function))
            asks = f"'{parameter.name}' of {name} asks for {parameter.marker!r}"
            yield f"{place_of(function)}: {asks}"


def refuse(problems: Iterable[str]) -> None:
    """Raise what `open_markers` found, each once.

    Raises:
        WiringError: With file and line of each function that needs `@inject`.
    """
    found = list(dict.fromkeys(problems))
    if found:
        lines = "".join(f"\n  {one}" for one in found)
        raise WiringError(f"nothing fills these parameters. {_ADVICE}{lines}")


def _functions(called: Any) -> Iterator[Callable[..., Any]]:
    """The function behind what a framework was given: of a class, its constructor."""
    while isinstance(called, functools.partial):
        called = called.func
    if inspect.isclass(called):
        called = called.__init__
    elif callable(called) and not inspect.isroutine(called):
        called = type(called).__call__
    if inspect.isfunction(called) or inspect.ismethod(called):
        yield called
