"""Scopes: one object of each scoped provider for a unit of work, ended in reverse order."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from dependency_injector import providers as di

from containers.core import finding, graph
from containers.core.endings import (
    ENDED,
    End,
    begin_to_end,
    collect,
    end_async_generator,
    end_begun,
    end_generator,
    enter,
    enter_async,
    raise_failures,
    yielded_again,
    yielded_twice,
)
from containers.core.layouts import BUSY, MISSING, Layout, layout_of
from containers.core.shielding import begin, finish, go_within, within
from containers.core.targets import Target
from containers.errors import ContainerError, NoActiveScopeError

if TYPE_CHECKING:

    class RLock:
        """What is used of it; its stub forbids subclasses, it does not."""

        def acquire(self) -> bool:
            """Wait for it."""
            ...

        def release(self) -> None:
            """Let go of it."""

else:
    from _thread import RLock

_current: ContextVar["Scope | None"] = ContextVar("current_scope", default=None)
#: What compiled code asks for the innermost scope; it may have been closed.
current = _current.get

#: The same for setting it.
_set_current = _current.set
_NOTHING: list[Any] = []
_NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})
#: Nobody waits in a scope that was opened with `async with`.
NOBODY: Mapping[Any, asyncio.Event] = MappingProxyType({})


class Scope(RLock):
    """A unit of work: a request, a job, a conversation.

    Opened with `with` or `async with`; follows the task it was opened in and the tasks started
    there. Objects are made when first asked for and ended in reverse order of creation; an
    exception of the body is thrown into generators and context managers first, and goes on
    afterwards whatever they do with it.

    It is a lock, its own, held while an object is made without awaiting: a second object for
    each unit of work would be felt.

    Attributes:
        container: Whose providers it serves; None when it has ended.
        given: What it was opened with, by name; `context` shows it.
        parent: The scope around it, of any container.
        layout: The container's layout while the scope is open, None before and after.
        cells: Its objects, in the places of the layout.
        endings: What ends them, in order of creation.
        pending: What tasks wait for, which another one is making, with the event that tells them;
            None where the scope was opened with a plain `with`.
    """

    __slots__ = (
        "_others",
        "cells",
        "container",
        "endings",
        "given",
        "layout",
        "parent",
        "pending",
    )

    container: Any
    parent: "Scope | None"
    layout: Layout | None
    cells: list[Any]
    endings: list[tuple[End, Any, bool]] | None
    pending: Mapping[Any, asyncio.Event]
    given: Mapping[str, Any]
    #: What has no place in the layout: objects made under an override, or for a stand-in.
    _others: dict[Any, Any] | None

    @property
    def context(self) -> Mapping[str, Any]:
        """What `container.scope(**context)` was given, read-only."""
        return MappingProxyType(self.given)

    @property
    def is_open(self) -> bool:
        """Whether objects can be asked for."""
        return self.layout is not None

    def get(self, provider: Any) -> Any:
        """The object of a provider or a dotted name, in this scope.

        Raises:
            NoActiveScopeError: The scope is not open.
        """
        with self.as_current(provider):
            return finding.find(self.container, provider)()

    async def aget(self, provider: Any) -> Any:
        """The same for every provider, whether its object must be awaited or not."""
        with self.as_current(provider):
            found = finding.find(self.container, provider)
            return await self.container._lifecycle().value_of(found)  # noqa: SLF001 - as the container's aget

    def scope(self, **context: Any) -> "Scope":
        """A scope inside this one, with objects of its own.

        Raises:
            ContainerError: The scope has ended.
        """
        if self.container is None:
            raise _used()
        return new_scope(self.container, **context)

    def made(self, key: Any, kind: Target, make: Callable[[], Any]) -> Any:
        """The scope's object for `key`, made and entered on first use; once under threads too."""
        self.acquire()
        try:
            found = self._found(key)
            if found is MISSING or found is BUSY:
                made = make()
                found, end = enter(kind, made)
                self._keep(key, found)
                if end is not None:
                    self.ends_by(end, made)
            return found
        finally:
            self.release()

    async def amade(self, key: Any, kind: Target, make: Callable[[], Awaitable[Any]]) -> Any:
        """The same where making it must be awaited; concurrent callers get one object."""
        if self.pending is None:
            name = _name(self.container, key)
            raise ContainerError(
                f"async '{name}' was asked in a scope opened with a plain `with`",
                where="containers",
                hint="Open it with `async with container.scope()`.",
            )
        while True:
            found = self._found(key)
            if found is BUSY:
                await self._turn_of(key)
            elif found is MISSING:
                await self._make(key, kind, make)
            else:
                return found

    def __enter__(self) -> Self:
        if self.cells is not None:
            raise _used()
        parent = current()
        if parent is not None and parent.layout is None:
            parent = parent.parent and _innermost_open(parent.parent)
        self.parent = parent
        layout = self.layout = self.container._layout or layout_of(self.container)  # noqa: SLF001 - kept there for us
        self.cells = layout.blank.copy()
        self.endings = self._others = None
        _set_current(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if self.endings is not None:
            self._end(error)
        # the last scope stays in the context, and nothing else with it
        self.layout = self.container = self._others = None
        self.cells = _NOTHING
        self.given = _NOTHING_GIVEN
        if self.parent is not None:
            self._back()

    async def __aenter__(self) -> Self:
        self.pending = NOBODY
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.endings is not None:
            rest = self.close_async(error)
            if rest is not None:
                await rest
        self.__exit__(None, None, None)

    def close_async(self, error: BaseException | None) -> Awaitable[None] | None:
        """End what was made, up to the first wait; the rest is to be awaited before `__exit__`."""
        endings = self.endings
        if not endings:
            return None
        around = within()
        go_within(self)
        try:
            if error is None and endings[-1][0] is end_async_generator:
                # what most scopes hold, and nothing else
                rest = begin_to_end(endings.pop()[1])
                if rest is not None:
                    self.ends_by(end_begun, rest, is_async=True)
            if endings:
                return begin(self._aend(error), self)
            self.endings = None
            return None
        finally:
            if around is not None and around.endings is not None:
                go_within(around)

    def _end(self, error: BaseException | None) -> None:
        """Last made first; an object made meanwhile is ended too."""
        failures: list[BaseException] = []
        while self.endings:
            end, made, _is_async = self.endings.pop()
            try:
                if end is not end_generator or error is not None:
                    end(made, error)
                elif next(made, ENDED) is not ENDED:  # what most scopes hold, and a call less
                    collect(failures, yielded_again(made), error)
            except BaseException as failure:  # noqa: BLE001 - every ending must have its turn
                collect(failures, failure, error)
        if failures:
            self._close()
            raise_failures(failures, error)

    async def _aend(self, error: BaseException | None) -> None:
        failures: list[BaseException] = []
        while self.endings:
            end, made, is_async = self.endings.pop()
            try:
                if end is end_async_generator and error is None:
                    # what most scopes hold, and a coroutine less
                    await made.asend(None)
                    failures.append(await yielded_twice(made))
                    continue
                ended = end(made, error)
                if is_async:
                    await ended
            except StopAsyncIteration as over:
                if end is not end_async_generator:
                    collect(failures, over, error)
            except BaseException as failure:  # noqa: BLE001 - every ending must have its turn
                collect(failures, failure, error)
        self.endings = None
        if failures:
            self._close()
            raise_failures(failures, error)

    def _close(self) -> None:
        self.endings = None
        self.__exit__(None, None, None)

    def ends_by(self, end: End, made: Any, *, is_async: bool = False) -> None:
        """Note how something made in this scope ends, before all that was made earlier."""
        if self.endings is None:
            self.endings = []
        self.endings.append((end, made, is_async))

    def _back(self) -> None:
        """Make the scope around this one the current one again.

        The outermost stays where it is when it has ended, and is passed over.
        """
        parent = self.parent = _innermost_open(self.parent)
        if current() is self:
            _set_current(parent)

    def _found(self, key: Any) -> Any:
        place = self.layout.index.get(key) if self.layout is not None else None
        if place is not None:
            return self.cells[place]
        return MISSING if self._others is None else self._others.get(key, MISSING)

    def _keep(self, key: Any, value: Any) -> None:
        place = self.layout.index.get(key) if self.layout is not None else None
        if place is not None:
            self.cells[place] = value
        elif self._others is None:
            self._others = {key: value}
        else:
            self._others[key] = value

    async def _make(self, key: Any, kind: Target, make: Callable[[], Awaitable[Any]]) -> None:
        self._keep(key, BUSY)
        try:
            made = await make()
            value, end = await enter_async(kind, made)
            if self.layout is None:
                await finish(self.refuse_late(key, end, made, is_async=kind.is_async))
        except BaseException:
            self.gave_up(key)
            raise
        self._keep(key, value)
        if end is not None:
            self.ends_by(end, made, is_async=kind.is_async)
        self.tell(key)

    async def _turn_of(self, key: Any) -> None:
        if key not in self.pending:
            self.pending = {**self.pending, key: asyncio.Event()}
        await self.pending[key].wait()

    def gave_up(self, key: Any) -> None:
        """It was not made: who waits may try."""
        if self.layout is not None:
            self._keep(key, MISSING)
        self.tell(key)

    def tell(self, key: Any) -> None:
        """Made or not: who waits looks again."""
        if key in self.pending:
            waiting = dict(self.pending)
            waiting.pop(key).set()
            self.pending = waiting

    async def refuse_late(self, key: Any, end: End | None, made: Any, *, is_async: bool) -> None:
        """End what was being made while the scope ended; its caller is told that it came late."""
        late = NoActiveScopeError(_name(self.container, key))
        ended = end(made, late) if end is not None else None
        if is_async and ended is not None:
            await ended
        raise late

    @contextlib.contextmanager
    def as_current(self, provider: Any) -> Iterator[None]:
        """What is asked for in the block is asked of this scope.

        Raises:
            NoActiveScopeError: The scope is not open.
        """
        if self.layout is None:
            raise NoActiveScopeError(_name(self.container, provider))
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def new_scope(container: Any, /, **context: Any) -> Scope:
    """A unit of work, to be opened with `with` or `async with`."""
    scope = Scope()
    scope.container = container
    scope.given = context
    scope.layout = scope.pending = scope.cells = None  # type: ignore[assignment]  # until it is opened
    return scope


def scope_of(provider: di.Provider[Any]) -> Scope:
    """The innermost open scope whose container has the provider.

    Raises:
        NoActiveScopeError: There is none.
    """
    scope = _current.get()
    container = None
    while scope is not None:
        if scope.is_open:
            container = scope.container
            if finding.has(container, provider):
                return scope
        scope = scope.parent
    raise NoActiveScopeError(_name(container, provider))


def context_value(provider: di.Provider[Any], name: str) -> Any:
    """What the innermost scope was given under the name.

    Raises:
        NoActiveScopeError: There is no open scope of the provider's container.
        ContainerError: None of the open scopes was given it.
    """
    scope: Scope | None = scope_of(provider)
    known: set[str] = set()
    while scope is not None:
        if name in scope.context:
            return scope.context[name]
        known |= scope.context.keys()
        scope = _innermost_open(scope.parent)
    raise ContainerError(
        f"no open scope was given '{name}'; they have {', '.join(sorted(known)) or 'nothing'}",
        where="containers",
        hint=f"Open it with `container.scope({name}=...)`.",
    )


def current_scope() -> Scope | None:
    """The innermost open scope of any container."""
    return _innermost_open(_current.get())


def _innermost_open(scope: Scope | None) -> Scope | None:
    while scope is not None and not scope.is_open:
        scope = scope.parent
    return scope


def _used() -> ContainerError:
    return ContainerError(
        "this scope is open or was used already",
        where="containers",
        hint="Ask for a new one: container.scope().",
    )


def _name(container: Any, provider: Any) -> str:
    """Its dotted path where the container is known, else the name of its target."""
    provider = provider[0] if isinstance(provider, tuple) else provider
    if isinstance(provider, str):
        return provider
    known = graph.paths(container) if container is not None else {}
    return known.get(provider) or graph.name_of(provider)
