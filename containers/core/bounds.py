"""What a provider's declaration says about its start and its end: how long, and in which phase."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

from dependency_injector import resources

from containers.errors import LifecycleError

_KEYWORDS: dict[str, type[float] | type[int]] = {
    "start_timeout": float,
    "stop_timeout": float,
    "phase": int,
}


class Bounded:
    """A provider whose object is started and ended by the container.

    Attributes:
        start_timeout: Seconds its start may take, without the start of what it needs. What never
            waits for anything cannot be interrupted.
        stop_timeout: Seconds its end may take.
        phase: Lower ones start first and end last; what one needs comes first in any case.
    """

    __slots__ = ()
    start_timeout: float = 60.0
    stop_timeout: float = 15.0
    phase: int = 0

    @property
    def holders(self) -> WeakSet[Any]:
        """Who has started it and not ended it: of several containers, the last one ends it."""
        found: WeakSet[Any] = self.__dict__.setdefault("_holders", WeakSet())
        return found

    def take_bounds(self, provides: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Keep those of the keywords that are meant for us, and give back the target's."""
        mine = [name for name in _KEYWORDS if name in kwargs]
        theirs = _parameters(provides) if mine else frozenset()
        for name in mine:
            if name not in theirs:
                setattr(self, name, _KEYWORDS[name](kwargs.pop(name)))
        return kwargs

    def hand_bounds(self, copied: "Bounded") -> None:
        """Give a copy the same bounds."""
        for name in _KEYWORDS.keys() & vars(self).keys():
            setattr(copied, name, getattr(self, name))


@asynccontextmanager
async def within(seconds: float, path: str, verb: str) -> AsyncIterator[None]:
    """Bound a start or an end.

    Raises:
        LifecycleError: It took longer; names the provider.
    """
    try:
        async with asyncio.timeout(seconds) as bound:
            yield
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise LifecycleError(f"'{path}' did not {verb} within {seconds:g} s") from error


def _parameters(target: Any) -> frozenset[str]:
    """The names a target takes; a resource class of dependency-injector takes those of `init`."""
    if inspect.isclass(target) and issubclass(
        target, (resources.Resource, resources.AsyncResource)
    ):
        target = target.init
    try:
        return frozenset(inspect.signature(target).parameters)
    except (TypeError, ValueError):  # nothing yet, or a builtin that does not tell
        return frozenset()
