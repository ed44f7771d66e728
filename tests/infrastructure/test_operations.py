"""Every operation of a component is watched and guarded once, whoever wrote it."""

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from infrastructure.cache.base import BaseCacheProvider
from infrastructure.component import Component
from infrastructure.connections.base import AsyncBaseConnectionManager
from infrastructure.connections.vector.base import VectorStore
from infrastructure.embeddings.base import Embedder
from infrastructure.errors import UnavailableError
from infrastructure.llm.base import BaseLLMProvider
from infrastructure.observability.telemetry import hook
from infrastructure.operations import observed, observing
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


@pytest.fixture
def follower() -> Iterator[Follower]:
    following = Follower()
    hook.listen(following)
    yield following
    hook.leave(following)


async def test_nobody_listens_and_the_call_is_the_call():
    assert await Memory().get("a") == "value of a"


async def test_call_is_told_with_its_component_and_its_end(follower):
    await Memory().get_many(["a"])
    assert follower.told == ["stores.default.get_many", "ok"]


async def test_operation_of_the_port_that_calls_another_is_one_call(follower):
    assert await Memory().get("a") == "value of a"
    assert follower.told == ["stores.default.get", "ok"]


async def test_a_chain_of_subclasses_is_one_call(follower):
    assert await Upper().get("a") == "VALUE OF A"
    assert follower.told == ["stores.default.get", "ok"]


async def test_error_is_told_and_raised(follower):
    store = Memory()
    store.fault = UnavailableError("gone")
    with pytest.raises(UnavailableError):
        await store.get("a")
    assert follower.told[-1] == "UnavailableError"


async def test_component_called_by_another_is_told_too(follower):
    class Tiered(Memory):
        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            return await Memory("second").get_many(keys)

    await Tiered("first").get("a")
    assert follower.told == ["first.get", "second.get_many", "ok", "ok"]


async def test_task_left_behind_by_a_call_makes_calls_of_its_own(follower):
    left: list[asyncio.Task[Any]] = []

    class Refreshing(Memory):
        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            if not left:
                left.append(asyncio.create_task(self.get("behind")))
            return await super().get_many(keys)

    await Refreshing().get_many(["a"])
    await left[0]
    assert follower.told == ["stores.default.get_many", "ok", "stores.default.get", "ok"]


def test_plain_method_is_told(follower):
    assert Memory().size() == 1
    assert follower.told == ["stores.default.size", "ok"]


async def test_stream_is_one_call_until_its_end(follower):
    seen = [(page, len(follower.told)) async for page in Memory().pages(2)]
    assert seen == [(0, 1), (1, 1)]
    assert follower.told == ["stores.default.pages", "ok"]


async def test_async_generator_is_told_with_all_its_arguments(follower):
    assert [row async for row in Memory().rows("a", "b", limit=1, size=3)] == [("a", {"size": 3})]
    assert follower.told == ["stores.default.rows", "ok"]


async def test_stream_refuses_at_once_what_it_refused_before(follower):
    with pytest.raises(ValueError, match="negative"):
        Memory().pages(-1)


async def test_reader_that_leaves_a_stream_closes_it_and_nothing_failed(follower):
    closed = []

    class Watched(Memory):
        async def _pages(self, count: int) -> AsyncGenerator[int, None]:
            try:
                yield count
            finally:
                closed.append(True)

    pages: Any = Watched().pages(5)
    await anext(pages)
    await pages.aclose()
    assert (closed, follower.told[-1]) == ([True], "ok")


async def test_stream_that_breaks_is_told(follower):
    class Breaking(Memory):
        async def _pages(self, count: int) -> AsyncGenerator[int, None]:
            yield count
            raise UnavailableError("gone")

    with pytest.raises(UnavailableError):
        [page async for page in Breaking().pages(1)]
    assert follower.told[-1] == "UnavailableError"


async def test_between_two_pieces_the_reader_is_not_inside_the_call(follower):
    store = Memory()
    async for _ in store.pages(1):
        await store.get("a")
    assert follower.told[1:3] == ["stores.default.get", "ok"]


async def test_policy_guards_an_operation_once():
    store = Upper()
    store.policy = guard = Counting()
    assert (await store.get("a"), guard.calls) == ("VALUE OF A", 1)


async def test_policy_of_one_component_is_not_anothers():
    store = Memory()
    store.policy = guard = Counting()
    await Memory().get("a")
    assert guard.calls == 0


async def test_tries_of_a_policy_are_one_call_to_those_who_listen(follower):
    class Flaky(Memory):
        tries = 0

        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            self.tries += 1
            if self.tries == 1:
                raise UnavailableError("not yet")
            return await super().get_many(keys, default)

    store = Flaky()
    store.policy = Counting()
    assert await store.get("a") == "value of a"
    assert follower.told == ["stores.default.get", "ok"]


def test_policy_guards_a_plain_method():
    store = Memory()
    store.policy = guard = Counting()
    assert (store.size(), guard.calls) == (1, 1)


async def test_stream_that_gives_no_first_piece_is_begun_again():
    begun = []

    class Flaky(Memory):
        async def _pages(self, count: int) -> AsyncGenerator[int, None]:
            begun.append(count)
            if len(begun) == 1:
                raise UnavailableError("not yet")
            yield count

    store = Flaky()
    store.policy = Counting()
    assert [page async for page in store.pages(7)] == [7]
    assert begun == [7, 7]


async def test_stream_is_not_begun_again_after_its_first_piece():
    class Breaking(Memory):
        async def _pages(self, count: int) -> AsyncGenerator[int, None]:
            yield count
            raise UnavailableError("gone")

    store = Breaking()
    store.policy = guard = Counting()
    pages = store.pages(1)
    assert await anext(pages) == 1
    with pytest.raises(UnavailableError):
        await anext(pages)
    assert guard.calls == 1


async def test_listener_that_fails_harms_no_call():
    class Broken(Follower):
        def end(self, error: BaseException | None) -> None:
            raise RuntimeError("no room")

    broken, before = Broken(), hook.failures
    hook.listen(broken)
    try:
        assert await Memory().get("a") == "value of a"
    finally:
        hook.leave(broken)
    assert hook.failures == before + 1


async def test_body_can_be_watched_as_a_call(follower):
    with observing(Memory(), "session.execute"):
        pass
    assert follower.told == ["stores.default.session.execute", "ok"]


async def test_body_inside_a_call_of_its_component_is_part_of_it(follower):
    class Session(Memory):
        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            with observing(self, "session.execute"):
                return await super().get_many(keys)

    await Session().get_many(["a"])
    assert follower.told == ["stores.default.get_many", "ok"]


async def test_what_a_plain_function_gives_decides_how_it_is_watched(follower):
    class Postponed(Memory):
        def get_many(self, keys: Any, default: Any = None) -> "Awaitable[list[Any]]":  # type: ignore[override]  # as a batching backend may
            return super().get_many(keys, default)

        def rows(self, *names: str, limit: int = 2, **more: int) -> "AsyncIterator[Any]":  # type: ignore[override]  # the same
            return super().rows(*names, limit=limit, **more)

    await Postponed().get_many(["a"])
    assert [row async for row in Postponed().rows("a")] == [("a", {})]
    assert follower.told == ["stores.default.get_many", "ok", "stores.default.rows", "ok"]


def test_door_looks_like_the_operation():
    door = Memory.get
    assert asyncio.iscoroutinefunction(door)
    assert str(inspect.signature(door)) == "(self, key: str, *, default: Any = None) -> Any"
    assert (door.__name__, door.__qualname__) == ("get", "Store.get")


KEPT: list[int] = []


def odd_signatures() -> Iterator[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Methods of every form of parameter, and a call of each."""

    def plain(self, a, b=None):
        return a, b

    def positional_only(self, a, b=2, /, c=3):
        return a, b, c

    def only_positional_only(this, a, /):
        return a

    def keywords_only(self, *, a, b=KEPT):
        return a, b

    def after_stars(self, *rest, a=1, **more):
        return rest, a, more

    def mixed(self, a, /, b, *rest, c, d=4, **more):
        return a, b, rest, c, d, more

    yield plain, (1,), {"b": 2}
    yield positional_only, (1,), {"c": 5}
    yield only_positional_only, (1,), {}
    yield keywords_only, (), {"a": 1}
    yield after_stars, (1, 2), {"a": 3, "hook": 4}
    yield mixed, (1, 2, 3), {"c": 4, "inner": 5, "a": 6}


@pytest.mark.parametrize(
    ("function", "args", "named"),
    list(odd_signatures()),
    ids=lambda one: getattr(one, "__name__", ""),
)
@pytest.mark.parametrize("is_watched", [False, True])
def test_door_hands_every_argument_on(function, args, named, is_watched):
    store, following = Memory(), Follower()
    if is_watched:
        hook.listen(following)
    try:
        assert observed(function)(store, *args, **named) == function(store, *args, **named)
    finally:
        hook.leave(following)
    assert bool(following.told) is is_watched


def test_door_keeps_the_very_default():
    def keep(self, kept=KEPT):
        return kept

    assert observed(keep)(Memory()) is KEPT


def test_wrong_arguments_are_refused_as_before():
    def get(self, key): ...

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'key'"):
        observed(get)(Memory())


def test_abstract_operation_stays_abstract():
    assert Store.__abstractmethods__ == {"get_many"}


def test_operations_of_a_subclass_come_on_top():
    class More(Memory):
        operations = frozenset({"vacuum"})

        async def vacuum(self) -> None: ...

    assert More.operations == {*Store.operations, "vacuum"}


async def test_operation_from_a_class_that_is_no_component_has_a_door(follower):
    class Mixin:
        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            return ["mixed in"]

    class Mixed(Mixin, Store): ...

    assert await Mixed().get_many(["a"]) == ["mixed in"]
    assert follower.told == ["stores.default.get_many", "ok"]


async def test_cancelled_call_is_told_as_cancelled(follower):
    class Hanging(Memory):
        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Hanging().get_many(["a"])
    assert follower.told[-1] == "CancelledError"


PORTS = (AsyncBaseConnectionManager, BaseCacheProvider, BaseLLMProvider, Embedder, VectorStore)


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_port_names_what_its_backends_must_write(port: type[Component]):
    """What goes to the backend is async; what is not, such as `pool_stats`, asks nobody."""
    written = {name for name in port.__abstractmethods__ if not name.startswith("_")}
    sync = {"pool_stats"}
    assert written - sync <= port.operations
