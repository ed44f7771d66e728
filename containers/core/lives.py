"""The objects of one resource: usually one, and one more for each override that touches it."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Hashable
from threading import RLock
from typing import Any

from containers.core.bounds import Bounded
from containers.core.endings import collected
from containers.core.life import KeptLife, Life, discard, must_be_awaited

AnyLife = Life | KeptLife


class Lives:
    """What of a resource has begun and has not ended, by the overrides it was made under.

    Args (of the constructor):
        ended: Told after an object cannot be handed out any more.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._begun: dict[Hashable, AnyLife] = {}
        self._beginning: dict[tuple[asyncio.AbstractEventLoop, Hashable], KeptLife] = {}
        self._lock = RLock()

    def __bool__(self) -> bool:
        return bool(self._begun or self._beginning)

    def at(self, key: Hashable) -> AnyLife | None:
        """The one that has begun under these overrides."""
        return self._begun.get(key)

    @property
    def must_end_in_loop(self) -> bool:
        """Whether ending them must be awaited."""
        begun = self._begun.values()
        return bool(self._beginning) or any(isinstance(life, KeptLife) for life in begun)

    def begin(self, key: Hashable, make: Callable[[], Any]) -> AnyLife | None:
        """Begin here and now, once under threads; None where what is made must be awaited."""
        with self._lock:
            if key not in self._begun:
                made = make()
                if must_be_awaited(made):
                    discard(made)
                    return None
                self._begun[key] = Life(made)
            return self._begun[key]

    async def open(
        self, key: Hashable, make: Callable[[], Awaitable[Any]], owner: Bounded, path: str
    ) -> AnyLife:
        """Begin and wait for it; concurrent callers wait for one beginning.

        Where another event loop was faster, its object stays.
        """
        place = (asyncio.get_running_loop(), key)
        if key not in self._begun:
            life = self._beginning.get(place)
            if life is None:
                life = self._beginning[place] = KeptLife(
                    make, owner, path, keep=lambda life: self._keep(key, life), forget=self._forget
                )
            await life.begin()
            return self._begun.get(key, life)
        return self._begun[key]

    def end(self, error: BaseException | None = None) -> Awaitable[None] | None:
        """End all, the last one first: at once, or when what this gives is awaited.

        They are left with `error`, where the work they were made for failed.
        """
        with self._lock:
            lives = [*self._beginning.values(), *reversed(self._begun.values())]
            self._beginning.clear()
            self._begun.clear()
        if lives:
            self._ended()
        if any(isinstance(life, KeptLife) for life in lives):
            return _end_all(lives, error)
        failures: list[BaseException] = []
        for life in lives:
            with collected(failures, None):
                life.end(error)
        raise_together(failures)
        return None

    def forget_lost(self) -> None:
        """Let go of those whose event loop is closed: nothing can be asked of them."""
        for life in list(self._begun.values()):
            if isinstance(life, KeptLife) and life.is_lost:
                self._forget(life)

    def _keep(self, key: Hashable, life: KeptLife) -> bool:
        _drop(life, self._beginning)
        return self._begun.setdefault(key, life) is life

    def _forget(self, life: KeptLife) -> None:
        """It is gone, whoever ended it: it is neither handed out nor waited for any more."""
        _drop(life, self._beginning)
        if _drop(life, self._begun):
            self._ended()


class NothingToAwait:
    """What ending a resource that has ended gives: dependency-injector's programs await it."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


def raise_together(failures: list[BaseException]) -> None:
    """Raise the only failure as it is, several as a group."""
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} failed", failures)


async def _end_all(lives: list[AnyLife], error: BaseException | None) -> None:
    failures: list[BaseException] = []
    for life in lives:
        with collected(failures, None):
            ended = life.end(error)
            if inspect.isawaitable(ended):
                await ended
    raise_together(failures)


def _drop(life: AnyLife, held: dict[Any, Any]) -> bool:
    keys = [key for key, kept in held.items() if kept is life]
    for key in keys:
        del held[key]
    return bool(keys)
