"""The watch asks in the background, and every change is told once."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import ConfigurationError, UnavailableError
from infrastructure.health import Health, HealthChange, HealthRegistry, Status
from infrastructure.observability.logging import RecordingLogger
from infrastructure.resilience.clock import ManualClock


class Database:
    """Answers as it is told, or not before it is."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = 0
        self.cancelled = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def health_check(self) -> Health:
        self.asked += 1
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return Health(Status.UP)


DOWN = UnavailableError("refused", where="db")


class Watched:
    """A registry that watches a database every ten seconds of a clock moved by hand."""

    def __init__(self, database: Database, interval_seconds: float = 10.0) -> None:
        self.clock = ManualClock(jumps=False)
        self.log = RecordingLogger()
        self.registry = HealthRegistry(
            watch_interval_seconds=interval_seconds,
            clock=self.clock.now,
            sleep=self.clock.sleep,
            logger=self.log,
        )
        self.registry.add("db", database)

    async def answer(self) -> Health:
        return (await self.registry.readiness()).components["db"]

    async def round(self) -> None:
        """Let the interval pass, and a tenth of it."""
        await self.clock.pass_time(11.0)


async def test_probe_does_not_wait_for_a_slow_database() -> None:
    database = Database()
    watched = Watched(database)
    async with watched.registry:
        await watched.clock.pass_time(0)
        database.may_answer.clear()
        await watched.round()
        async with asyncio.timeout(0):
            answer = await watched.answer()
    assert (answer.status, answer.age_seconds, database.asked) == (Status.UP, 11.0, 2)


async def test_nothing_is_served_before_the_first_answer() -> None:
    database = Database()
    database.may_answer.clear()
    watched = Watched(database)
    async with watched.registry:
        await watched.clock.pass_time(0)
        report = await watched.registry.readiness()
    assert (report.status, report.is_serving) == (Status.UNKNOWN, False)
    assert report.components["db"].detail == "not checked yet"


async def test_probes_cost_the_database_nothing() -> None:
    database = Database()
    watched = Watched(database)
    async with watched.registry:
        await watched.clock.pass_time(0)
        for _ in range(10):
            await watched.answer()
        assert database.asked == 1


async def test_rounds_are_an_interval_apart_a_tenth_more_or_less() -> None:
    watched = Watched(Database())
    async with watched.registry:
        for _ in range(20):
            await watched.round()
    waits = watched.clock.sleeps
    assert len(set(waits)) > 1
    assert all(9.0 <= wait <= 11.0 for wait in waits)


async def test_what_was_added_later_is_watched_from_the_next_round_on() -> None:
    watched, other = Watched(Database()), Database()
    async with watched.registry:
        await watched.clock.pass_time(0)
        watched.registry.add("other", other)
        assert (await watched.registry.readiness()).status is Status.UNKNOWN
        await watched.round()
        assert (await watched.registry.readiness()).status is Status.UP


async def test_started_twice_it_is_one_task() -> None:
    database = Database()
    watched = Watched(database)
    async with watched.registry:
        await watched.registry.start()
        await watched.clock.pass_time(0)
        assert database.asked == 1


async def test_stopped_watch_leaves_no_task_and_asks_no_more() -> None:
    database = Database()
    database.may_answer.clear()
    watched = Watched(database)
    before = asyncio.all_tasks()
    async with watched.registry:
        await watched.clock.pass_time(0)
    assert (asyncio.all_tasks(), database.cancelled) == (before, 1)
    assert watched.log.lines == []


async def test_after_the_watch_everybody_asks_again() -> None:
    database = Database()
    watched = Watched(database)
    async with watched.registry:
        await watched.clock.pass_time(0)
    await watched.clock.pass_time(2)
    await watched.answer()
    assert database.asked == 2


async def test_cancelled_stop_has_ended_the_watch_all_the_same() -> None:
    watched = Watched(Database())
    before = asyncio.all_tasks()
    await watched.registry.start()
    await watched.clock.pass_time(0)
    stopping = asyncio.create_task(watched.registry.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait([stopping])
    await watched.clock.pass_time(0)
    assert asyncio.all_tasks() == before


def test_watch_whose_loop_is_gone_keeps_nobody_from_asking() -> None:
    database = Database()
    registry = HealthRegistry(watch_interval_seconds=60, max_age_seconds=0)
    registry.add("db", database)
    for _ in range(2):
        asyncio.run(registry.start())
    assert asyncio.run(registry.readiness()).status is Status.UP
    asyncio.run(registry.stop())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_interval_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="seconds above 0, or None"):
        HealthRegistry(watch_interval_seconds=seconds)


def told(log: RecordingLogger) -> list[Any]:
    return [(line.level, line.fields["before"], line.fields["now"]) for line in log.lines]


async def test_each_change_is_one_line() -> None:
    database = Database()
    watched = Watched(database)
    async with watched.registry:
        for error in (None, DOWN, DOWN, None, None):
            database.error = error
            await watched.round()
    assert told(watched.log) == [("WARNING", "up", "down"), ("INFO", "down", "up")]
    assert watched.log.lines[0].fields["detail"] == "transient: db: refused"


async def test_what_is_down_from_the_start_is_told() -> None:
    watched = Watched(Database(DOWN))
    async with watched.registry:
        await watched.round()
    assert told(watched.log) == [("WARNING", "unknown", "down")]


async def test_many_who_ask_at_once_tell_a_change_once() -> None:
    log = RecordingLogger()
    registry = HealthRegistry(max_age_seconds=0, logger=log)
    registry.add("db", Database(DOWN))
    await asyncio.gather(*(registry.readiness() for _ in range(10)))
    assert len(log.lines) == 1


async def test_listeners_are_told_of_each_change() -> None:
    database, changes = Database(), list[HealthChange]()
    registry = HealthRegistry(max_age_seconds=0, logger=RecordingLogger())
    registry.add("db", database, is_critical=False)
    registry.on_change(changes.append)
    for error in (None, DOWN, DOWN):
        database.error = error
        await registry.readiness()
    assert [(one.name, one.before, one.health.status, one.is_critical) for one in changes] == [
        ("db", Status.UNKNOWN, Status.UP, False),
        ("db", Status.UP, Status.DOWN, False),
    ]


async def test_listener_that_raises_harms_neither_the_check_nor_the_next() -> None:
    def broken(_: HealthChange) -> None:
        raise RuntimeError("no room")

    log, changes = RecordingLogger(), list[HealthChange]()
    registry = HealthRegistry(logger=log)
    registry.add("db", Database())
    registry.on_change(broken)
    registry.on_change(changes.append)
    assert (await registry.readiness()).status is Status.UP
    assert ([str(line.error) for line in log.lines], len(changes)) == (["no room"], 1)


def test_listener_that_nobody_would_await_is_refused() -> None:
    async def listener(_: HealthChange) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        HealthRegistry().on_change(listener)


async def test_what_was_removed_while_it_was_asked_is_told_to_nobody() -> None:
    database, log = Database(DOWN), RecordingLogger()
    database.may_answer.clear()
    registry = HealthRegistry(logger=log)
    registry.add("db", database)
    asking = asyncio.create_task(registry.readiness())
    await asyncio.sleep(0)
    registry.remove("db")
    database.may_answer.set()
    await asking
    assert log.lines == []
