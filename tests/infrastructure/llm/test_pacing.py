"""Bounds on a stream, on a clock that is moved."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import DeadlineExceededError
from infrastructure.llm.pacing import paced
from infrastructure.resilience.clock import ManualClock


class Source:
    """Pieces with a wait before each; remembers that it was closed."""

    def __init__(self, clock: ManualClock, *pieces: int, wait_seconds: float = 0.0) -> None:
        self.clock = clock
        self.pieces = pieces
        self.wait_seconds = wait_seconds
        self.is_closed = False

    async def __call__(self) -> AsyncGenerator[int, None]:
        try:
            for piece in self.pieces:
                await self.clock.sleep(self.wait_seconds)
                yield piece
        finally:
            self.is_closed = True


def pace(
    source: Callable[[], AsyncGenerator[int, None]],
    clock: ManualClock,
    *,
    stall_seconds: float = 5.0,
    timeout_seconds: float = 5.0,
) -> AsyncGenerator[int, None]:
    return paced(
        source(),
        stall_seconds=stall_seconds,
        timeout_seconds=timeout_seconds,
        where="here",
        clock=clock,
    )


async def read(pieces: AsyncGenerator[int, None]) -> list[int]:
    return [piece async for piece in pieces]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(jumps=False)


@given(st.lists(st.integers(), max_size=20))
def test_every_piece_passes_in_order(pieces: list[int]) -> None:
    clock = ManualClock()
    assert asyncio.run(read(pace(Source(clock, *pieces), clock))) == pieces


async def test_slow_piece_is_a_stall_and_closes_the_source(clock: ManualClock) -> None:
    source = Source(clock, 1, wait_seconds=10)
    reading = asyncio.create_task(read(pace(source, clock, stall_seconds=2)))
    await clock.pass_time(1.9)
    assert not reading.done()
    await clock.pass_time(0.1)
    with pytest.raises(DeadlineExceededError, match=r"within 2 s.*stalled"):
        await reading
    assert source.is_closed


async def test_many_quick_pieces_may_be_late_together(clock: ManualClock) -> None:
    source = Source(clock, *range(1000), wait_seconds=0.75)
    reading = asyncio.create_task(read(pace(source, clock, stall_seconds=1, timeout_seconds=3.5)))
    await clock.pass_time(3.5)
    with pytest.raises(DeadlineExceededError, match=r"within 3\.5 s.*not ended"):
        await reading
    assert source.is_closed


async def test_time_of_the_reader_does_not_count(clock: ManualClock) -> None:
    pieces = pace(Source(clock, 1, 2), clock, stall_seconds=1, timeout_seconds=1)
    assert await asyncio.gather(anext(pieces), clock.pass_time(0)) == [1, None]
    clock.advance(100)
    assert await asyncio.gather(anext(pieces), clock.pass_time(0)) == [2, None]
    await pieces.aclose()


async def test_no_timer_is_left_of_a_stream_that_has_ended(clock: ManualClock) -> None:
    source = Source(clock, *range(100))
    reading = asyncio.create_task(read(pace(source, clock)))
    while not reading.done():
        await clock.pass_time(0)
    assert not [timer for _, _, timer in clock._timers if timer.callback is not None]


@pytest.mark.parametrize(
    "error", [TimeoutError("theirs"), DeadlineExceededError(1, where="theirs")]
)
async def test_timeout_of_the_source_itself_is_not_taken_for_ours(
    clock: ManualClock, error: Exception
) -> None:
    async def source() -> AsyncGenerator[int, None]:
        yield 1
        raise error

    with pytest.raises(type(error), match="theirs") as caught:
        await read(pace(source, clock))
    assert caught.value is error


async def test_leaving_closes_the_source() -> None:
    clock = ManualClock()
    source = Source(clock, 1, 2)
    async with aclosing(pace(source, clock)) as pieces:
        await anext(pieces)
    assert source.is_closed


async def test_cancelled_reader_is_cancelled_and_not_late(clock: ManualClock) -> None:
    source = Source(clock, 1, wait_seconds=10)
    reader = asyncio.ensure_future(anext(pace(source, clock)))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.is_closed
