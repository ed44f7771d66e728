"""Scopes: one object of each scoped provider for a unit of work, ended in reverse order."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from threading import RLock
from types import MappingProxyType, TracebackType
from typing import Any, Self

from dependency_injector import providers as di
from dependency_injector.wiring import ProvidersMap

from containers.core import graph, layers
from containers.core.shielding import finish
from containers.core.targets import Target
from containers.errors import ContainerError, NoActiveScopeError, UnknownProviderError

_current: ContextVar["Scope | None"] = ContextVar("current_scope", default=None)

Finalizer = Callable[[BaseException | None], Any]

_NOTHING = object()


class Scope:
    """A unit of work: a request, a job, a conversation.

    Opened with `with` or `async with`; follows the task it was opened in and the tasks started
    there. Objects are made when first asked for and ended in reverse order of creation; an
    exception of the body is thrown into generators and context managers first, and goes on
    afterwards whatever they do with it.

    Attributes:
        context: What `container.scope(**context)` was given, read-only.
        is_open: Whether objects can be asked for.
    """

    def __init__(self, container: Any, context: Mapping[str, Any]) -> None:
        self.container = container
        self.context = MappingProxyType(dict(context))
        self.parent: Scope | None = None
        self._cells: dict[Any, Any] = {}
        self._lock = RLock()
        self._locks: dict[Any, asyncio.Lock] = {}
        self._finalizers: list[tuple[bool, Finalizer]] = []
        self._was_opened = False
        self._is_async = False
        self.is_open = False

    def get(self, provider: Any) -> Any:
        """The object of a provider or a dotted name, in this scope.

        Raises:
            NoActiveScopeError: The scope is not open.
        """
        with self._as_current(provider):
            return find(self.container, provider)()

    async def aget(self, provider: Any) -> Any:
        """The same for every provider, whether its object must be awaited or not."""
        with self._as_current(provider):
            found = find(self.container, provider)
            made = found()
            return await made if _is_async(found) else made

    def scope(self, **context: Any) -> "Scope":
        """A scope inside this one, with objects of its own."""
        return Scope(self.container, context)

    def enter(self, key: Any, kind: Target, make: Callable[[], Any]) -> Any:
        """The scope's object for `key`, made and entered on first use; once under threads too."""
        with self._lock:
            if key not in self._cells:
                value, finalizer = _enter(kind, make())
                self._keep(key, value, finalizer, is_async=False)
            return self._cells[key]

    async def enter_async(self, key: Any, kind: Target, make: Callable[[], Awaitable[Any]]) -> Any:
        """The same where making it must be awaited; concurrent callers get one object."""
        if not self._is_async:
            raise ContainerError(
                f"an async provider was asked in a scope opened with a plain `with`: {key[0]}",
                where="containers",
                hint="Open it with `async with container.scope()`.",
            )
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._cells:
                value, finalizer = await _enter_async(kind, await make())
                if not self.is_open:
                    await finish(self._end_late(key[0], kind, finalizer))
                self._keep(key, value, finalizer, is_async=kind.is_async)
            return self._cells[key]

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        failures: list[BaseException] = []
        for _is_async_one, finalize in self._closing():
            with _collected(failures, error):
                finalize(error)
        _raise_group(failures, error)

    async def __aenter__(self) -> Self:
        self._open()
        self._is_async = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await finish(self._end(error))

    async def _end(self, error: BaseException | None) -> None:
        failures: list[BaseException] = []
        for is_async, finalize in self._closing():
            with _collected(failures, error):
                ended = finalize(error)
                if is_async:
                    await ended
        _raise_group(failures, error)

    async def _end_late(
        self, provider: di.Provider[Any], kind: Target, finalizer: Finalizer | None
    ) -> None:
        """End what was being made while the scope ended; its caller is told that it came late."""
        late = NoActiveScopeError(_name(provider))
        ended = finalizer(late) if finalizer is not None else None
        if kind.is_async and ended is not None:
            await ended
        raise late

    def _open(self) -> None:
        if self._was_opened:
            raise ContainerError(
                "this scope is open or was used already",
                where="containers",
                hint="Ask for a new one: container.scope().",
            )
        self._was_opened = self.is_open = True
        self.parent = current_scope()
        _current.set(self)

    def _closing(self) -> Iterator[tuple[bool, Finalizer]]:
        """The finalizers, last made first; an object made meanwhile is ended too."""
        try:
            while self._finalizers:
                yield self._finalizers.pop()
        finally:
            self.is_open = False
            self._cells.clear()
            self.parent = _innermost_open(self.parent)
            if _current.get() is self:
                _current.set(self.parent)

    def _keep(self, key: Any, value: Any, finalizer: Finalizer | None, *, is_async: bool) -> None:
        self._cells[key] = value
        if finalizer is not None:
            self._finalizers.append((is_async, finalizer))

    @contextlib.contextmanager
    def _as_current(self, provider: Any) -> Iterator[None]:
        if not self.is_open:
            raise NoActiveScopeError(_name(provider))
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def scope_of(provider: di.Provider[Any]) -> Scope:
    """The innermost open scope whose container has the provider.

    Raises:
        NoActiveScopeError: There is none.
    """
    scope = _current.get()
    while scope is not None:
        if scope.is_open and _has(scope.container, provider):
            return scope
        scope = scope.parent
    raise NoActiveScopeError(_name(provider))


def current_scope() -> Scope | None:
    """The innermost open scope of any container."""
    return _innermost_open(_current.get())


def _innermost_open(scope: Scope | None) -> Scope | None:
    while scope is not None and not scope.is_open:
        scope = scope.parent
    return scope


def _has(container: Any, provider: di.Provider[Any]) -> bool:
    """Whether the provider is the container's, or stands in for one of its."""
    return graph.has(container, provider) or any(
        layer.brings(provider) and any(graph.has(container, one) for one in layer.replacements)
        for layer in layers.active()
    )


def find(container: Any, provider: Any) -> di.Provider[Any]:
    """The provider a dotted name stands for, or a provider of the container or of its class.

    Raises:
        UnknownProviderError: The container has no such provider.
    """
    if isinstance(provider, di.Provider):
        return _own(container, provider)
    by_path = dict(graph.walk(container))
    if provider not in by_path:
        raise UnknownProviderError(provider, by_path)
    return by_path[provider]


def _own(container: Any, provider: di.Provider[Any]) -> di.Provider[Any]:
    """The container's provider where one of its class is meant; what only uses some passes."""
    if _has(container, provider):
        return provider
    own = ProvidersMap(container).resolve_provider(provider)
    if own is not None:
        return own
    reached: Iterator[di.Provider[Any]] = provider.traverse()
    if any(graph.has(container, other) for other in reached):
        return provider
    raise UnknownProviderError(_name(provider), dict(graph.walk(container)))


def _enter(kind: Target, made: Any) -> tuple[Any, Finalizer | None]:
    if kind is Target.GENERATOR:
        return _first(made, next(made, _NOTHING)), lambda error: _end_generator(made, error)
    if kind is Target.CONTEXT:
        return made.__enter__(), lambda error: made.__exit__(*_details(error))
    return made, None


async def _enter_async(kind: Target, made: Any) -> tuple[Any, Finalizer | None]:
    if kind is Target.ASYNC_GENERATOR:
        first = _first(made, await anext(made, _NOTHING))
        return first, lambda error: _end_async_generator(made, error)
    if kind is Target.ASYNC_CONTEXT:
        return await made.__aenter__(), lambda error: made.__aexit__(*_details(error))
    return _enter(kind, made)


def _first(generator: Any, value: Any) -> Any:
    if value is _NOTHING:
        raise ContainerError(
            f"the generator of scoped '{generator.__qualname__}' yielded nothing",
            where="containers",
            hint="Yield the object once; what follows ends it.",
        )
    return value


def _end_generator(generator: Any, error: BaseException | None) -> None:
    try:
        next(generator) if error is None else generator.throw(error)
    except StopIteration:
        return
    generator.close()
    raise _second_yield(generator)


async def _end_async_generator(
    generator: AsyncGenerator[Any, None], error: BaseException | None
) -> None:
    try:
        await (anext(generator) if error is None else generator.athrow(error))
    except StopAsyncIteration:
        return
    await generator.aclose()
    raise _second_yield(generator)


def _second_yield(generator: Any) -> ContainerError:
    return ContainerError(
        f"the generator of scoped '{generator.__qualname__}' yielded twice",
        where="containers",
        hint="Yield the object once; what follows ends it.",
    )


def _details(error: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


@contextlib.contextmanager
def _collected(failures: list[BaseException], body: BaseException | None) -> Iterator[None]:
    """Keep what a finalizer raises, so that the others still run; the body's own error passes."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - every finalizer must have its turn
        if error is not body and not _is_body_in_disguise(error, body):
            failures.append(error)


def _is_body_in_disguise(error: BaseException, body: BaseException | None) -> bool:
    """Python hands a StopIteration thrown into a generator back inside a RuntimeError."""
    stops = isinstance(body, (StopIteration, StopAsyncIteration))
    return stops and isinstance(error, RuntimeError) and error.__cause__ is body


def _raise_group(failures: list[BaseException], body: BaseException | None) -> None:
    """Raise what failed; a cancellation or an exit of the body stays what it is, caused by it."""
    if not failures:
        return
    group = BaseExceptionGroup(f"{len(failures)} of the scope's objects failed to end", failures)
    if body is None or isinstance(body, Exception):
        raise group from body
    raise body from group


def _is_async(provider: di.Provider[Any]) -> bool:
    return graph.is_async(provider)


def _name(provider: di.Provider[Any] | str) -> str:
    if isinstance(provider, str):
        return provider
    target = getattr(provider, "provides", provider)
    return str(getattr(target, "__qualname__", target))
