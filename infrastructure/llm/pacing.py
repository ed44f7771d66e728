"""Bounds on a stream: on each wait for a piece, and on all waits together."""

from collections.abc import AsyncGenerator
from typing import TypeVar

from infrastructure.errors import DeadlineExceededError
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.deadlines import Deadline

T = TypeVar("T")


async def paced(
    pieces: AsyncGenerator[T, None],
    *,
    stall_seconds: float,
    timeout_seconds: float,
    where: str,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncGenerator[T, None]:
    """Pass the pieces on; close the source however this ends.

    Only the waits count, never the time the reader spends with a piece.

    Raises:
        DeadlineExceededError: A piece took longer than `stall_seconds`, or the waits together
            longer than `timeout_seconds`.
    """
    left = timeout_seconds
    try:
        while True:
            began = clock.now()
            wait = Deadline(max(0.0, min(stall_seconds, left)), where, clock)
            try:
                with wait:
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except DeadlineExceededError as error:
                if not wait.expired:
                    raise  # the source's own
                seconds, hint = stall_seconds, "The stream stalled"
                if left < stall_seconds:
                    seconds, hint = timeout_seconds, "The stream had not ended by then"
                raise DeadlineExceededError(seconds, where=where, hint=hint) from error
            left -= clock.now() - began
            yield piece
    finally:
        await pieces.aclose()
