"""How the objects of services end."""

import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from containers.core.endings import End, enter, enter_async
from containers.core.services.plans import Candidate
from containers.core.targets import Target
from containers.errors import ServiceCreationError, ServiceError
from infrastructure.component import Component


class Ending:
    """How one object ends, in a plain and in an async scope."""

    __slots__ = ("_awaited", "_plain", "_target", "name")

    def __init__(self, name: str, target: Any, plain: End | None, awaited: End | None) -> None:
        self.name = name
        self._target = target
        self._plain = plain
        self._awaited = awaited or plain

    @property
    def is_async(self) -> bool:
        """Whether an async scope awaits it."""
        return self._awaited is not self._plain

    def end(self, error: BaseException | None) -> None:
        """End the object without awaiting."""
        if self._plain is None:
            raise ServiceError(
                f"'{self.name}' can only be ended by awaiting, and was left open",
                hint="Use `async with`, or await aclose().",
            )
        self._plain(self._target, error)

    async def aend(self, error: BaseException | None) -> None:
        """End the object, awaiting where it must be."""
        ended = self._awaited(self._target, error) if self._awaited else None
        if inspect.isawaitable(ended):
            await ended


async def entered(candidate: Candidate, kind: Target, made: Any) -> tuple[Any, Ending | None]:
    """The object that a factory's result stands for, and how it ends."""
    if kind is Target.COROUTINE:
        value = await made
        return value, ending_of(candidate, value)
    if kind.is_async:
        value, awaited = await enter_async(kind, made)
        return value, Ending(candidate.name, made, None, awaited)
    return entered_plain(candidate, kind, made)


def entered_plain(candidate: Candidate, kind: Target, made: Any) -> tuple[Any, Ending | None]:
    """The same for what is not awaited."""
    if kind is Target.VALUE:
        return made, ending_of(candidate, made)
    value, plain = enter(kind, made)
    return value, Ending(candidate.name, made, plain, None)


def ending_of(candidate: Candidate, value: Any) -> Ending | None:
    """By `aclose` and `close`, whichever its class has; by `disconnect` for a component."""
    cls: Any = type(value)
    ways = ways_to_end(cls)
    return Ending(candidate.name, value, *ways) if ways else None


@lru_cache(maxsize=1024)
def ways_to_end(cls: type) -> tuple[End | None, End | None] | None:
    """How objects of a class end, plainly and awaited.

    Its class is asked: a module, or a proxy that has every name, has none of its own.
    """
    plain: End | None = _close if callable(getattr(cls, "close", None)) else None
    awaited: End | None = _aclose if callable(getattr(cls, "aclose", None)) else None
    if issubclass(cls, Component):
        awaited = _disconnect
    if plain is not None and inspect.iscoroutinefunction(cls.close):  # type: ignore[attr-defined]  # it has
        plain, awaited = None, awaited or _close
    return (plain, awaited) if plain or awaited else None


def _close(value: Any, _error: BaseException | None) -> Any:
    return value.close()


def _aclose(value: Any, _error: BaseException | None) -> Any:
    return value.aclose()


def _disconnect(value: Any, _error: BaseException | None) -> Any:
    return value.disconnect()


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
