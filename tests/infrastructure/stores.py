"""A port, two backends of it, and those who follow their calls."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from infrastructure.component import Component
from infrastructure.errors import UnavailableError
from infrastructure.resilience.strategy import Strategy


class Store(Component):
    """A port with an operation of each shape."""

    operations = frozenset({"get", "get_many", "size", "pages", "rows"})

    def __init__(self, name: str = "stores.default") -> None:
        super().__init__(SimpleNamespace(kind="store", connect_timeout_seconds=1), name=name)

    async def get(self, key: str, *, default: Any = None) -> Any:
        return (await self.get_many((key,), default))[0]

    @abstractmethod
    async def get_many(self, keys: Any, default: Any = None) -> list[Any]: ...

    def size(self) -> int:
        return 1

    def pages(self, count: int) -> AsyncIterator[int]:
        if count < 0:
            raise ValueError("a negative count")
        return self._pages(count)

    async def _pages(self, count: int) -> AsyncGenerator[int, None]:
        for page in range(count):
            yield page

    async def rows(self, *names: str, limit: int = 2, **more: int) -> AsyncGenerator[Any, None]:
        for name in names[:limit]:
            yield name, more

    async def _open(self) -> None: ...

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return ""


class Memory(Store):
    """A backend, whose author has written nothing about telemetry."""

    fault: BaseException | None = None

    async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
        if self.fault:
            raise self.fault
        return [f"value of {key}" if key else default for key in keys]


class Upper(Memory):
    """A backend on a backend."""

    async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
        return [one.upper() for one in await super().get_many(keys, default)]


class Follower:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, component: Any, operation: str) -> "Follower":
        self.told.append(f"{component.name}.{operation}")
        return self

    def resume(self) -> None: ...

    def pause(self) -> None: ...

    def end(self, error: BaseException | None) -> None:
        self.told.append(type(error).__name__ if error else "ok")


class Counting(Strategy):
    """Counts the calls it runs, and tries twice."""

    def __init__(self) -> None:
        self.calls = 0

    async def run(self, call: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        try:
            return await call(*args, **kwargs)
        except UnavailableError:
            return await call(*args, **kwargs)

    def run_sync(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return call(*args, **kwargs)
