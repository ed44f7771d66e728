import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import DeadlineExceededError
from infrastructure.llm.pacing import paced


class Source:
    """Pieces with a wait before each; remembers that it was closed."""

    def __init__(self, *pieces: int, wait_seconds: float = 0.0) -> None:
        self.pieces = pieces
        self.wait_seconds = wait_seconds
        self.is_closed = False

    async def __call__(self) -> AsyncGenerator[int, None]:
        try:
            for piece in self.pieces:
                await asyncio.sleep(self.wait_seconds)
                yield piece
        finally:
            self.is_closed = True


def pace(
    source: Callable[[], AsyncGenerator[int, None]],
    *,
    stall_seconds: float = 5.0,
    timeout_seconds: float = 5.0,
) -> AsyncGenerator[int, None]:
    return paced(
        source(), stall_seconds=stall_seconds, timeout_seconds=timeout_seconds, where="here"
    )


@given(st.lists(st.integers(), max_size=20))
def test_every_piece_passes_in_order(pieces: list[int]) -> None:
    async def read() -> list[int]:
        return [piece async for piece in pace(Source(*pieces))]

    assert asyncio.run(read()) == pieces


async def test_slow_piece_is_a_stall_and_closes_the_source() -> None:
    source = Source(1, wait_seconds=10)
    with pytest.raises(DeadlineExceededError, match=r"0\.01 s.*stalled"):
        await anext(pace(source, stall_seconds=0.01))
    assert source.is_closed


async def test_many_quick_pieces_may_be_late_together() -> None:
    source = Source(*range(1000), wait_seconds=0.002)
    with pytest.raises(DeadlineExceededError, match=r"0\.02 s.*not ended"):
        _ = [piece async for piece in pace(source, timeout_seconds=0.02)]
    assert source.is_closed


async def test_timeout_of_the_source_itself_is_not_taken_for_ours() -> None:
    async def source() -> AsyncGenerator[int, None]:
        yield 1
        raise TimeoutError("theirs")

    with pytest.raises(TimeoutError, match="theirs"):
        _ = [piece async for piece in pace(source)]


async def test_leaving_closes_the_source() -> None:
    source = Source(1, 2)
    async with aclosing(pace(source)) as pieces:
        await anext(pieces)
    assert source.is_closed


async def test_cancelled_reader_is_cancelled_and_not_late() -> None:
    source = Source(1, wait_seconds=10)
    reader = asyncio.ensure_future(anext(pace(source)))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.is_closed
