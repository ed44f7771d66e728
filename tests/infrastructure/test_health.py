"""Health in one shape."""

import asyncio

import pytest

from infrastructure.health import Health, Status, check_all


class Answering:
    """Answers once everybody has been asked."""

    def __init__(self, status: Status, everybody: asyncio.Barrier) -> None:
        self.status = status
        self.everybody = everybody

    async def health_check(self) -> Health:
        async with asyncio.timeout(10):
            await self.everybody.wait()
        return Health(self.status)


async def test_all_are_asked_at_once_and_told_by_name() -> None:
    everybody = asyncio.Barrier(2)
    answers = await check_all(
        {"cache": Answering(Status.UP, everybody), "db": Answering(Status.DOWN, everybody)}
    )
    assert [(name, health.status) for name, health in answers.items()] == [
        ("cache", Status.UP),
        ("db", Status.DOWN),
    ]


async def test_nothing_to_check_is_no_error() -> None:
    assert await check_all({}) == {}


@pytest.mark.parametrize("status", Status)
def test_only_up_is_up(status: Status) -> None:
    assert Health(status).is_up is (status is Status.UP)
