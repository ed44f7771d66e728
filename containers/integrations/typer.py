"""Typer and Click: `setup(app, container)`."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from containers.core.container import Methods
from containers.core.functions import is_started, scope, start
from containers.integrations.hosting import Wiring, open_markers, refuse

if TYPE_CHECKING:
    from click import Command
    from typer import Typer

_SET_UP = "_switchgear_container"


def setup(app: Typer | Command, container: Any) -> None:
    """Give the program its container: wired; started and stopped, with a scope, for each command.

    A command may be `async def`: it runs on the event loop the container was started on. A plain
    one runs between start and stop, on no loop. Commands and groups may be added later. `--help`
    starts nothing; the callback of a group runs before the start, outside the scope.

    Raises:
        ContainerError: The program was set up before.
        WiringError: An injected parameter that no wired container can fill; or a marker on a
            command without `@inject`, also when one is added later.
    """
    wiring = Wiring(container, is_set_up=hasattr(app, _SET_UP))
    _Program(wiring).adopt(app)


class _Program:
    """One container, and the commands that run with it."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._container = wiring.container

    def adopt(self, app: Any) -> None:
        """Take over the commands that are there, and those to come."""
        if getattr(app, _SET_UP, None) is self._container:
            return  # a command that has two names
        setattr(app, _SET_UP, self._container)
        if hasattr(app, "registered_commands"):
            app.registered_commands = _Watched(self._adopt_command, app.registered_commands)
            app.registered_groups = _Watched(self._adopt_group, app.registered_groups)
            refuse(open_markers(getattr(app.registered_callback, "callback", None)))
            app.callback = _refusing(app.callback)
        elif hasattr(app, "commands"):
            app.commands = _WatchedNames(self.adopt, app.commands)
            refuse(open_markers(app.callback))
        else:
            self._adopt_command(app)

    def _adopt_group(self, info: Any) -> None:
        self.adopt(info.typer_instance)

    def _adopt_command(self, command: Any) -> None:
        if command.callback is not None:
            refuse(open_markers(command.callback))
            command.callback = self._in_scope(command.callback)

    def _in_scope(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(callback)
        def command(*args: Any, **kwargs: Any) -> Any:
            with asyncio.Runner() as runner, _running_on(runner, self._container):
                result, leaving = self._run(functools.partial(callback, *args, **kwargs))
                if inspect.iscoroutine(result):  # of which nothing has run yet
                    result, leaving = runner.run(self._run_async(result))
            if leaving is not None:
                raise leaving
            return result

        return command

    def _run(self, call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        with scope(self._container):
            try:
                return call(), None
            except BaseException as error:
                if not _is_success(error):
                    raise
                return None, error

    async def _run_async(self, command: Awaitable[Any]) -> tuple[Any, BaseException | None]:
        async with scope(self._container):
            try:
                return await command, None
            except BaseException as error:
                if not _is_success(error):
                    raise
                return None, error


class _Watched(list[Any]):
    """A list whose every item is adopted."""

    def __init__(self, adopt: Callable[[Any], None], items: Iterable[Any]) -> None:
        super().__init__()
        self._adopt = adopt
        for item in items:
            self.append(item)

    def append(self, item: Any) -> None:
        self._adopt(item)
        super().append(item)


class _WatchedNames(dict[str, Any]):
    """The same by name."""

    def __init__(self, adopt: Callable[[Any], None], items: dict[str, Any]) -> None:
        super().__init__()
        self._adopt = adopt
        for name, item in items.items():
            self[name] = item

    def __setitem__(self, name: str, item: Any) -> None:
        self._adopt(item)
        super().__setitem__(name, item)


def _refusing(decorator: Callable[..., Any]) -> Callable[..., Any]:
    """A group's own decorator for its callback, with a look at what is decorated."""

    def made(*args: Any, **kwargs: Any) -> Any:
        decorate = decorator(*args, **kwargs)

        def decorated(function: Callable[..., Any]) -> Any:
            refuse(open_markers(function))
            return decorate(function)

        return decorated

    return made


@contextmanager
def _running_on(runner: asyncio.Runner, container: Any) -> Iterator[None]:
    """Start and stop on the runner's loop, which does not run in between."""
    with ExitStack() as stack:
        if not is_started(container):
            runner.run(start(container))
            stack.push(lambda *details: runner.run(Methods.__aexit__(container, *details)))
        yield


def _is_success(error: BaseException) -> bool:
    """Whether the command was left by an exit that says all went well."""
    if isinstance(error, SystemExit):
        return error.code in {0, None}
    return getattr(error, "exit_code", 1) == 0
