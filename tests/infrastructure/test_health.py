"""Health in one shape, and groups that answer for many."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import ConfigurationError, OverloadedError
from infrastructure.health import LIVENESS, Health, HealthRegistry, Status, check_all


class Answering:
    """Answers once everybody has been asked."""

    def __init__(self, status: Status, everybody: asyncio.Barrier) -> None:
        self.status = status
        self.everybody = everybody

    async def health_check(self) -> Health:
        async with asyncio.timeout(10):
            await self.everybody.wait()
        return Health(self.status)


class Component:
    """Answers with a status, raises, or waits for the word."""

    def __init__(self, answer: Status | BaseException = Status.UP) -> None:
        self.answer = answer
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def health_check(self) -> Health:
        self.asked += 1
        await self.may_answer.wait()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return Health(self.answer)


class Deaf(Component):
    """Waits for the word, and does not let itself be cancelled."""

    async def health_check(self) -> Health:
        self.asked += 1
        while not self.may_answer.is_set():
            try:
                await self.may_answer.wait()
            except asyncio.CancelledError:
                continue
        return Health(Status.UP)


class Clock:
    """Stands still until told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def registry(*components: Any, **options: Any) -> HealthRegistry:
    """A registry of components that the application cannot do without."""
    made = HealthRegistry(**options)
    for number, component in enumerate(components):
        made.add(f"part.{number}", component)
    return made


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


async def test_one_that_raises_spoils_no_answer_of_the_others() -> None:
    answers = await check_all({"bad": Component(ValueError("token=abc")), "good": Component()})
    assert (answers["bad"].status, answers["bad"].detail) == (Status.DOWN, "unknown: ValueError")
    assert answers["good"].is_up


@pytest.mark.parametrize("status", Status)
def test_only_up_is_up(status: Status) -> None:
    assert Health(status).is_up is (status is Status.UP)


async def test_group_checks_its_components_at_once() -> None:
    everybody = asyncio.Barrier(2)
    report = await registry(*(Answering(Status.UP, everybody) for _ in range(2))).readiness()
    assert (report.status, list(report.components)) == (Status.UP, ["part.0", "part.1"])


@pytest.mark.parametrize(
    ("status", "is_critical", "expected"),
    [
        (Status.UP, True, Status.UP),
        (Status.DEGRADED, True, Status.DEGRADED),
        (Status.DOWN, True, Status.DOWN),
        (Status.DOWN, False, Status.DEGRADED),
        (Status.UNKNOWN, False, Status.DEGRADED),
    ],
)
async def test_group_is_down_when_it_cannot_do_without(
    status: Status, is_critical: bool, expected: Status
) -> None:
    checks = registry(Component())
    checks.add("other", Component(status), is_critical=is_critical)
    report = await checks.readiness()
    assert (report.status, report.is_serving) == (expected, expected is not Status.DOWN)


async def test_liveness_asks_no_component() -> None:
    database = Component(Status.DOWN)
    checks = registry(database)
    assert ((await checks.liveness()).status, database.asked) == (Status.UP, 0)


async def test_component_is_refused_for_liveness() -> None:
    with pytest.raises(ConfigurationError, match="does not count for liveness"):
        HealthRegistry().add("db.default", Component(), groups=[LIVENESS])


async def test_function_may_count_for_liveness() -> None:
    async def is_stuck() -> Health:
        return Health(Status.DOWN, detail="the queue has not moved for a minute")

    checks = HealthRegistry()
    checks.add("queue", is_stuck, groups=[LIVENESS])
    assert (await checks.liveness()).status is Status.DOWN


async def test_name_is_taken_once() -> None:
    checks = registry(Component())
    with pytest.raises(ConfigurationError, match=r"part\.0: is checked already"):
        checks.add("part.0", Component())


async def test_removed_component_is_asked_no_more() -> None:
    checks = registry(Component(Status.DOWN))
    checks.remove("part.0")
    assert (await checks.readiness()).components == {}


async def test_answer_is_kept_and_tells_its_age() -> None:
    component, clock = Component(), Clock()
    checks = registry(component, max_age_seconds=5.0, clock=clock)
    await checks.readiness()
    clock.now += 3
    assert (await checks.readiness()).components["part.0"].age_seconds == 3
    clock.now += 3
    await checks.readiness()
    assert component.asked == 2


async def test_ten_who_ask_at_once_cost_one_check() -> None:
    component = Component()
    checks = registry(component, max_age_seconds=0.0)
    component.may_answer.clear()
    asking = [asyncio.create_task(checks.readiness()) for _ in range(10)]
    await asyncio.sleep(0)
    component.may_answer.set()
    reports = await asyncio.gather(*asking)
    assert ({report.status for report in reports}, component.asked) == ({Status.UP}, 1)


async def test_one_who_leaves_ends_no_check_of_the_others() -> None:
    component = Component()
    checks = registry(component)
    component.may_answer.clear()
    leaving, staying = (asyncio.create_task(checks.readiness()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    component.may_answer.set()
    assert (await staying).status is Status.UP


async def test_check_that_hangs_is_down_with_its_timeout() -> None:
    component = Component()
    component.may_answer.clear()
    report = await registry(component, timeout_seconds=0.01).readiness()
    answer = report.components["part.0"]
    assert (answer.status, answer.detail) == (Status.DOWN, "no answer within 0.01 s")


async def test_check_that_cannot_be_cancelled_is_not_begun_twice() -> None:
    component = Deaf()
    component.may_answer.clear()
    checks = registry(component, timeout_seconds=0.01, max_age_seconds=0.0)
    statuses = [(await checks.readiness()).status for _ in range(2)]
    assert (statuses, component.asked) == ([Status.DOWN] * 2, 1)
    component.may_answer.set()
    assert (await checks.readiness()).status is Status.UP


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OverloadedError("pool exhausted", where="db"), "overload: db: pool exhausted"),
        (RuntimeError("postgres://user:secret@host"), "unknown: RuntimeError"),
        (TimeoutError(), "transient: TimeoutError"),
        (asyncio.CancelledError(), "was cancelled"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_check_that_raises_is_down_with_its_reason(error: BaseException, said: str) -> None:
    report = await registry(Component(error)).readiness()
    assert (report.status, report.components["part.0"].detail) == (Status.DOWN, said)


async def test_own_timeout_of_a_check_wins() -> None:
    component = Component()
    component.may_answer.clear()
    checks = HealthRegistry(timeout_seconds=60)
    checks.add("slow", component, timeout_seconds=0.01)
    assert (await checks.readiness()).status is Status.DOWN


async def test_last_answers_are_measured_without_asking() -> None:
    component = Component(Status.DEGRADED)
    checks = registry(component)
    assert list(checks.measurements()) == []
    await checks.readiness()
    status, _ = checks.measurements()
    assert (status.name, status.value, component.asked) == ("switchgear.health.status", 0.5, 1)


def test_registry_outlives_its_event_loop() -> None:
    component = Component()
    checks = registry(component, max_age_seconds=0.0)
    for _ in range(2):
        assert asyncio.run(checks.readiness()).status is Status.UP
    assert component.asked == 2


@pytest.mark.parametrize("answer", [None, "up"])
async def test_answer_that_is_none_is_down_with_what_it_was(answer: Any) -> None:
    async def probe() -> Any:
        return answer

    health = HealthRegistry()
    health.add("mine", probe)
    report = await health.readiness()
    assert report.components["mine"].detail == f"answered {type(answer).__name__}, not Health"
    assert list(health.measurements())
