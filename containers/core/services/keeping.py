"""Where objects are kept while their container or scope lives, and how they end."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from containers.core.scopes import Finalizer, _collected, _enter, _enter_async, _raise_group
from containers.core.services.plans import Candidate
from containers.core.shielding import finish
from containers.core.targets import Target
from containers.errors import ServiceCreationError, ServiceError
from infrastructure.component import Component
from infrastructure.resilience import SingleFlight

#: A candidate, with the overrides that change it.
Cell = tuple[Candidate, frozenset[Any]]

_MISSING = object()


class Claim:
    """A thread or a task is making an object; the others wait for it."""

    def __init__(self, *, is_async: bool) -> None:
        self._made: Future[None] = Future()
        self._thread = threading.get_ident()
        self._is_async = is_async

    def release(self) -> None:
        """Made or failed: who waits looks again."""
        self._made.set_result(None)

    async def wait(self, candidate: Candidate, *, awaits: bool) -> None:
        """Until it is released; a plain call must not wait for its own thread."""
        if awaits:
            await asyncio.shield(asyncio.wrap_future(self._made))
        elif self._thread != threading.get_ident():
            self._made.result()
        else:
            how = "a task of this event loop" if self._is_async else "this very call"
            raise ServiceCreationError(
                f"'{candidate.name}' was asked while {how} is making it", hint="Await aresolve()."
            )


class Ending:
    """How one object ends, in a plain and in an async scope."""

    def __init__(self, name: str, plain: Finalizer | None, awaited: Finalizer | None) -> None:
        self._name = name
        self._plain = plain
        self._awaited = awaited or plain

    def end(self, error: BaseException | None) -> None:
        """End the object without awaiting."""
        if self._plain is None:
            raise ServiceError(
                f"'{self._name}' can only be ended by awaiting, and was left open",
                hint="Use `async with`, or await aclose().",
            )
        self._plain(error)

    async def aend(self, error: BaseException | None) -> None:
        """End the object, awaiting where it must be."""
        ended = self._awaited(error) if self._awaited else None
        if inspect.isawaitable(ended):
            await ended


class Store:
    """The objects of one container, scope or override, each made once.

    Attributes:
        objects: What is kept, by candidate.
        is_plain: Whether it was opened by a plain `with`, which cannot await what ends.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects: dict[Cell, Any] = {}
        self.is_plain = False
        self.flight: SingleFlight[Any] = SingleFlight()
        self._claims: dict[Cell, Claim] = {}
        self._endings: list[Ending] = []
        self._known: dict[int, Any] = {}
        self._is_open = True

    def check_open(self) -> None:
        """Refuse work after the end.

        Raises:
            ServiceError: It has ended.
        """
        if not self._is_open:
            raise ServiceError(f"the {self.name} was asked after its end", hint="Open a new one.")

    async def kept(self, cell: Cell, make: Callable[[], Awaitable[Any]], *, awaits: bool) -> Any:
        """The object of a cell, made by the first who asks; a failure is everybody's own."""
        while (value := self.objects.get(cell, _MISSING)) is _MISSING:
            self.check_open()
            claim = Claim(is_async=awaits)
            holder = self._claims.setdefault(cell, claim)
            if holder is not claim:
                await holder.wait(cell[0], awaits=awaits)
                continue
            try:
                if cell not in self.objects:
                    made = await make()
                    self.objects[cell] = made
                    return made
            finally:
                del self._claims[cell]
                claim.release()
        return value

    def know(self, value: Any) -> None:
        """Remember an object that is not this store's to end."""
        self._known[id(value)] = value

    def knows(self, value: Any) -> bool:
        """Whether the object has its ending already, or must have none."""
        return id(value) in self._known

    async def ends(self, ending: Ending, value: Any, *, awaits: bool) -> None:
        """End the object with the store; at once when the store has ended meanwhile."""
        self._known[id(value)] = value
        self._endings.append(ending)
        if self._is_open:
            return
        await self._aclose(None) if awaits else self.close()
        self.check_open()

    def close(self, error: BaseException | None = None) -> None:
        """End every object, last made first; what cannot be ended is told afterwards."""
        failures: list[BaseException] = []
        for ending in self._closing():
            with _collected(failures, error):
                ending.end(error)
        _raise_group(failures, error)

    async def aclose(self, error: BaseException | None = None) -> None:
        """The same, awaiting; a cancellation is delivered when all have ended."""
        await finish(self._aclose(error))

    async def _aclose(self, error: BaseException | None) -> None:
        failures: list[BaseException] = []
        for ending in self._closing():
            with _collected(failures, error):
                await ending.aend(error)
        _raise_group(failures, error)

    def _closing(self) -> Iterator[Ending]:
        """The endings, last made first; what another thread adds meanwhile ends too."""
        while self._endings or self._is_open:
            while self._endings:
                yield self._endings.pop()
            self._is_open = False
        self.objects.clear()
        self._known.clear()


async def entered(candidate: Candidate, kind: Target, made: Any) -> tuple[Any, Ending | None]:
    """The object that a factory's result stands for, and how it ends."""
    if kind is Target.VALUE or kind is Target.COROUTINE:
        value = await made if kind is Target.COROUTINE else made
        return value, _closing(candidate, value)
    if kind.is_async:
        value, awaited = await _enter_async(kind, made)
        return value, Ending(candidate.name, None, awaited)
    value, plain = _enter(kind, made)
    return value, Ending(candidate.name, plain, None)


def _closing(candidate: Candidate, value: Any) -> Ending | None:
    """By `aclose` and `close`, whichever it has; by `disconnect` where it is a component."""
    plain = _method(value, "close")
    awaited = _method(value, "aclose")
    if isinstance(value, Component):
        awaited = value.disconnect
    if inspect.iscoroutinefunction(plain):
        plain, awaited = None, awaited or plain
    if plain is None and awaited is None:
        return None
    return Ending(candidate.name, _ignoring_error(plain), _ignoring_error(awaited))


def _method(value: Any, name: str) -> Callable[[], Any] | None:
    """A method of the object's class; a module, or a proxy that has every name, has none."""
    return getattr(value, name) if callable(getattr(type(value), name, None)) else None


def _ignoring_error(method: Callable[[], Any] | None) -> Finalizer | None:
    return None if method is None else lambda _error: method()


def must_await(path: Sequence[Candidate]) -> ServiceCreationError:
    """The error of a plain call for something async, at the end of the path."""
    way = f" ({' -> '.join(one.name for one in path)})" if len(path) > 1 else ""
    return ServiceCreationError(
        f"'{path[-1].name}' is made by an async factory{way}", hint="Use `await aresolve(...)`."
    )


def refuse_coroutine(candidate: Candidate, made: Any) -> None:
    """A plain function that returns a coroutine would be kept as one."""
    if inspect.iscoroutine(made):
        made.close()
        raise ServiceCreationError(
            f"the factory of '{candidate.name}' returned a coroutine",
            hint="Write the factory with `async def`.",
        )
