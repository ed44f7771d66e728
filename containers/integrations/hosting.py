"""What every integration does: wire, live as long as the application, refuse open markers."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from containers.core import functions
from containers.core.markers import marked, place_of
from containers.errors import ContainerError, WiringError

_ADVICE = "Put @inject directly above `def`, below the decorators of the framework:"


def wire(container: Any, *, is_set_up: bool) -> None:
    """Let the container fill every injected function, also those defined later.

    Raises:
        ContainerError: The application has a container already.
        WiringError: An injected parameter that no wired container can fill.
    """
    if is_set_up:
        raise ContainerError(
            "this application was set up before",
            where="containers",
            hint="Call setup once, with the one container of the application.",
        )
    functions.wire(container)


@asynccontextmanager
async def running(container: Any) -> AsyncIterator[None]:
    """Start the container and stop it; one that runs already is left to whoever started it."""
    if container.is_started:
        yield
        return
    await functions.start(container)
    try:
        yield
    finally:
        await functions.stop(container)


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
