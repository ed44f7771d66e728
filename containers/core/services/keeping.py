"""Where objects are kept while their container or scope lives."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from typing import Any

from containers.core.endings import collected, raise_failures
from containers.core.services.ends import Ending
from containers.core.services.plans import Candidate
from containers.core.shielding import finish
from containers.errors import ServiceCreationError, ServiceError
from infrastructure.resilience import SingleFlight

_MISSING = object()


class Claim:
    """A thread or a task is making an object; the others wait for it."""

    __slots__ = ("_is_async", "_is_over", "_others", "_thread")

    _lock = threading.Lock()

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async
        self._is_over = False
        self._others: Future[None] | None = None
        self._thread = threading.get_ident()

    def release(self) -> None:
        """Made or failed: who waits looks again."""
        with self._lock:
            self._is_over = True
        if self._others is not None:
            self._others.set_result(None)

    async def wait(self, candidate: Candidate, *, awaits: bool) -> None:
        """Until it is released; a plain call must not wait for its own thread."""
        with self._lock:
            if self._is_over:
                return
            self._others = self._others or Future()
        if awaits:
            await asyncio.shield(asyncio.wrap_future(self._others))
        elif self._thread != threading.get_ident():
            self._others.result()
        else:
            how = "a task of this event loop" if self._is_async else "this very call"
            raise ServiceCreationError(
                f"'{candidate.name}' was asked while {how} is making it", hint="Await aresolve()."
            )


class Store:
    """The objects of one container, scope or override, each made once.

    Attributes:
        objects: What is kept, by cell.
        lock: Held while a plain call makes objects here.
        is_open: Whether it still makes objects.
        is_plain: Whether it was opened by a plain `with`, which cannot await what ends.
    """

    __slots__ = (
        "_claims",
        "_endings",
        "_flight",
        "_known",
        "_sink",
        "is_open",
        "is_plain",
        "lock",
        "name",
        "objects",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects: dict[Any, Any] = {}
        self.lock = threading.RLock()
        self.is_plain = False
        self.is_open = True
        self._flight: SingleFlight[Any] | None = None
        self._claims: dict[Any, Claim] | None = None
        self._endings: list[Ending] = []
        self._known: dict[int, Any] | None = None
        self._sink: Any = None

    @property
    def flight(self) -> SingleFlight[Any]:
        """Where tasks that want one object meet."""
        with self.lock:
            if self._flight is None:
                self._flight = SingleFlight()
            return self._flight

    def check_open(self) -> None:
        """Refuse work after the end.

        Raises:
            ServiceError: It has ended.
        """
        if not self.is_open:
            raise ServiceError(f"the {self.name} was asked after its end", hint="Open a new one.")

    async def kept(
        self, cell: Any, candidate: Candidate, make: Callable[[], Awaitable[Any]], *, awaits: bool
    ) -> Any:
        """The object of a cell, made by the first who asks; a failure is everybody's own."""
        while (value := self.objects.get(cell, _MISSING)) is _MISSING:
            self.check_open()
            claim = Claim(is_async=awaits)
            with self.lock:
                claims = self._claims = {} if self._claims is None else self._claims
                holder = claims.setdefault(cell, claim)
            if holder is not claim:
                await holder.wait(candidate, awaits=awaits)
                continue
            try:
                if cell not in self.objects:
                    made = await make()
                    self.objects[cell] = made
                    return made
            finally:
                del claims[cell]
                claim.release()
        return value

    def know(self, value: Any) -> None:
        """Remember an object that is not this store's to end."""
        if self._known is None:
            self._known = {}
        self._known[id(value)] = value

    def knows(self, value: Any) -> bool:
        """Whether the object has its ending already, or must have none."""
        return self._known is not None and id(value) in self._known

    def ends(self, ending: Ending, value: Any) -> None:
        """End the object with the store; at once when the store has ended meanwhile."""
        self._note(ending, value)
        if not self.is_open:
            self.close()
            self.check_open()

    async def aends(self, ending: Ending, value: Any) -> None:
        """The same, awaiting."""
        self._note(ending, value)
        if not self.is_open:
            await self._aclose(None)
            self.check_open()

    def close(self, error: BaseException | None = None, *, reopens: bool = False) -> None:
        """End every object, last made first; what cannot be ended is told afterwards."""
        if self._ends_nothing():
            self._shut(reopens=reopens)
            return
        failures: list[BaseException] = []
        for ending in self._closing(reopens=reopens):
            with collected(failures, error):
                ending.end(error)
        raise_failures(failures, error, of=self.name)

    async def aclose(self, error: BaseException | None = None, *, reopens: bool = False) -> None:
        """The same, awaiting; a cancellation is delivered when all have ended."""
        if self._ends_nothing():
            self._shut(reopens=reopens)
            return
        await finish(self._aclose(error, reopens=reopens))

    async def _aclose(self, error: BaseException | None, *, reopens: bool = False) -> None:
        failures: list[BaseException] = []
        for ending in self._closing(reopens=reopens):
            with collected(failures, error):
                await ending.aend(error)
        raise_failures(failures, error, of=self.name)

    def forward(self, scope: Any) -> None:
        """Let a scope of a declarative container end what is made from now on."""
        self._sink = scope

    def belong(self, scope: Any) -> None:
        """Let a scope of a declarative container end everything, and this store with it."""
        self._sink = scope
        scope.ends_by(_shut, self, is_async=False)

    @property
    def needs_loop(self) -> bool:
        """Whether something here ends by awaiting."""
        return any(ending.is_async for ending in self._endings)

    def _note(self, ending: Ending, value: Any) -> None:
        self.know(value)
        sink = self._sink
        if sink is None or not self.is_open:
            self._endings.append(ending)
        elif sink.pending is not None and ending.is_async:  # opened with `async with`
            sink.ends_by(_aend, ending, is_async=True)
        else:
            sink.ends_by(_end, ending, is_async=False)

    def _closing(self, *, reopens: bool) -> Iterator[Ending]:
        """The endings, last made first; what another thread adds meanwhile ends too."""
        while self._endings or self.is_open:
            while self._endings:
                yield self._endings.pop()
            self.is_open = False
        self._shut(reopens=reopens)

    def _ends_nothing(self) -> bool:
        """Whether there is nothing to end; what comes meanwhile finds the store closed."""
        if self._endings:
            return False
        self.is_open = False
        return not self._endings

    def _shut(self, *, reopens: bool) -> None:
        self.is_open = False
        self.objects.clear()
        self._known = None
        self.is_open = reopens


def _end(ending: Ending, error: BaseException | None) -> None:
    ending.end(error)


async def _aend(ending: Ending, error: BaseException | None) -> None:
    await ending.aend(error)


def _shut(store: Store, _error: BaseException | None) -> None:
    """All of it has ended, by the scope."""
    store.close()
