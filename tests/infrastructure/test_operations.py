"""Every operation of a component is watched once, whoever wrote it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.observability.telemetry import hook
from infrastructure.operations import observing
from tests.infrastructure.stores import Counting, Follower, Memory, Store, Upper


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


async def test_cancelled_call_is_told_as_cancelled(follower):
    class Hanging(Memory):
        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Hanging().get_many(["a"])
    assert follower.told[-1] == "CancelledError"


async def test_what_a_plain_function_gives_decides_how_it_is_watched(follower):
    class Postponed(Memory):
        def get_many(self, keys: Any, default: Any = None) -> "Awaitable[list[Any]]":  # type: ignore[override]  # as a batching backend may
            return super().get_many(keys, default)

        def rows(self, *names: str, limit: int = 2, **more: int) -> "AsyncIterator[Any]":  # type: ignore[override]  # the same
            return super().rows(*names, limit=limit, **more)

    await Postponed().get_many(["a"])
    assert [row async for row in Postponed().rows("a")] == [("a", {})]
    assert follower.told == ["stores.default.get_many", "ok", "stores.default.rows", "ok"]


async def test_operation_from_a_class_that_is_no_component_has_a_door(follower):
    class Mixin:
        async def get_many(self, keys: Any, default: Any = None) -> list[Any]:
            return ["mixed in"]

    class Mixed(Mixin, Store): ...

    assert await Mixed().get_many(["a"]) == ["mixed in"]
    assert follower.told == ["stores.default.get_many", "ok"]


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
