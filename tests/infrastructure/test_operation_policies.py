"""Every operation of a component is guarded once by its policy."""

from collections.abc import AsyncGenerator

import pytest

from infrastructure.errors import UnavailableError
from tests.infrastructure.stores import Counting, Memory, Upper


async def test_policy_guards_an_operation_once():
    store = Upper()
    store.policy = guard = Counting()
    assert (await store.get("a"), guard.calls) == ("VALUE OF A", 1)


async def test_policy_of_one_component_is_not_anothers():
    store = Memory()
    store.policy = guard = Counting()
    await Memory().get("a")
    assert guard.calls == 0


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
