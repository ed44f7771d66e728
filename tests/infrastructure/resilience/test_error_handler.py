"""An error is told once, mended where possible, and reported without what is internal."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import (
    AuthenticationError,
    BusinessError,
    Category,
    DeadlineExceededError,
    NotFoundError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.observability.logging import RecordingLogger, correlation_id
from infrastructure.resilience.error_handler import InfrastructureErrorHandler


class OrderTooLargeError(BusinessError):
    code = "order_too_large"
    status = 409
    problem_type = "https://example.org/problems/order-too-large"


@pytest.fixture
def log() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def handler(log: RecordingLogger) -> InfrastructureErrorHandler:
    return InfrastructureErrorHandler(logger=log, hook_timeout_seconds=0.01)


@pytest.mark.parametrize(
    ("error", "status", "category"),
    [
        (UnavailableError("refused"), 503, Category.TRANSIENT),
        (OverloadedError("full"), 503, Category.OVERLOAD),
        (DeadlineExceededError(2), 504, Category.TRANSIENT),
        (TimeoutError(), 504, Category.TRANSIENT),
        (AuthenticationError("our key expired"), 500, Category.PERMANENT),
        (NotFoundError("no collection 'faq'"), 500, Category.PERMANENT),
        (ValueError("x"), 500, Category.UNKNOWN),
        (OrderTooLargeError("At most 10 pieces."), 409, Category.PERMANENT),
        (ExceptionGroup("both", [TimeoutError(), ValueError()]), 500, Category.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_status_follows_from_what_the_error_is(handler, error, status, category):
    report = await handler.handle_error(error)
    assert (report.status, report.category) == (status, category)


async def test_nothing_internal_is_told_of_a_technical_error(handler):
    report = await handler.handle_error(UnavailableError("db-7.internal refused", where="db"))
    assert "db" not in report.detail
    assert (report.is_business, report.code) == (False, "transient")


async def test_business_error_speaks_for_itself_and_is_no_fault(handler, log):
    report = await handler.handle_error(OrderTooLargeError("At most 10 pieces."))
    assert (report.detail, report.code) == ("At most 10 pieces.", "order_too_large")
    assert report.problem_type == "https://example.org/problems/order-too-large"
    assert [line.level for line in log.lines] == ["INFO"]


async def test_when_to_try_again_is_passed_on(handler):
    error = OverloadedError("rate limited", retry_after_seconds=7.5)
    assert (await handler.handle_error(error)).retry_after_seconds == 7.5


async def test_class_may_be_given_a_status_with_its_subclasses():
    handler = InfrastructureErrorHandler(statuses={LookupError: 404})
    assert (await handler.handle_error(KeyError("x"))).status == 404


async def test_error_is_logged_once_with_its_context(handler, log):
    error = UnavailableError("refused")
    first = await handler.handle_error(error, {"operation": "checkout"})
    assert await handler.handle_error(error) is first
    (line,) = log.lines
    assert (line.event, line.fields["operation"], line.error) == ("failed", "checkout", error)
    assert line.correlation_id == first.correlation_id


async def test_logging_leaves_the_trace_of_the_error_as_it_was(handler):
    error = UnavailableError("refused")
    await handler.handle_error(error)
    assert error.__traceback__ is None


async def test_correlation_id_is_the_contexts_then_the_current_then_a_new_one(handler):
    with correlation_id("current"):
        given = await handler.handle_error(ValueError(), {"correlation_id": "given"})
        current = await handler.handle_error(ValueError())
    new = await handler.handle_error(ValueError())
    assert (given.correlation_id, current.correlation_id) == ("given", "current")
    assert len(new.correlation_id) == 32


async def test_hooks_of_the_class_and_of_the_category_run_in_order(handler):
    ran = []

    async def reconnect(error: BaseException, context: Any) -> None:
        ran.append(f"reconnect {context['operation']}")

    handler.on(UnavailableError, reconnect)
    handler.on(Category.OVERLOAD, lambda *_: ran.append("shed load"))
    handler.on(Category.TRANSIENT, lambda *_: ran.append("wait"))
    await handler.handle_error(UnavailableError("gone"), {"operation": "checkout"})
    assert ran == ["reconnect checkout", "wait"]


async def test_hook_that_raises_or_hangs_harms_nobody(handler, log):
    ran = []

    def broken(*_: Any) -> None:
        raise RuntimeError("no")

    async def hanging(*_: Any) -> None:
        await asyncio.Event().wait()

    for hook in (broken, hanging, lambda *_: ran.append("last")):
        handler.on(UnavailableError, hook)
    report = await handler.handle_error(UnavailableError("gone"))
    assert (report.status, ran, handler.failed_hooks) == (503, ["last"], 2)
    assert [type(line.error).__name__ for line in log.lines[1:]] == [
        "RuntimeError",
        "DeadlineExceededError",
    ]


async def test_errors_are_counted_by_category(handler):
    await handler.handle_error(UnavailableError("gone"))
    await handler.handle_error(OrderTooLargeError("too many"))
    counted = {
        one.labels.get("category"): one.value
        for one in handler.measurements()
        if one.name == "switchgear.errors"
    }
    assert counted == {"transient": 1, "business": 1}


async def test_error_that_two_requests_share_is_each_ones_own(handler, log):
    """As those get it who waited for one call."""
    error = UnavailableError("refused")
    with correlation_id("one"):
        first = [await handler.handle_error(error) for _ in range(2)]
    with correlation_id("two"):
        second = await handler.handle_error(error)
    assert [one.correlation_id for one in (*first, second)] == ["one", "one", "two"]
    assert [line.correlation_id for line in log.lines] == ["one", "two"]


async def test_fault_beside_a_refusal_is_a_fault(handler, log):
    group = ExceptionGroup("both", [OrderTooLargeError("At most 10."), RuntimeError("bug")])
    report = await handler.handle_error(group)
    assert (report.status, report.is_business, log.lines[0].event) == (500, False, "failed")


async def test_context_may_have_any_names(handler, log):
    context = {"category": "books", "status": "new", "error": "e", "detail": "d", "event": "x"}
    for error in (UnavailableError("refused"), OrderTooLargeError("At most 10.")):
        await handler.handle_error(error, context)
    assert [line.event for line in log.lines] == ["failed", "refused"]
    assert log.lines[0].fields["event"] == "x"


class FrozenError(Exception):
    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(name)


class MuteError(BusinessError):
    status = 99_999

    def __str__(self) -> str:
        raise RuntimeError("broken")


class AnyError(Exception):
    def __getattr__(self, name: str) -> str:
        return "soon"


@pytest.mark.parametrize("kind", [FrozenError, MuteError, AnyError])
async def test_error_whose_own_code_is_strange_is_reported(handler, kind):
    report = await handler.handle_error(kind())
    assert (report.status, report.retry_after_seconds) == (500, None)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1, "soon"])
async def test_time_that_is_none_is_not_passed_on(handler, seconds):
    report = await handler.handle_error(OverloadedError("full", retry_after_seconds=seconds))
    assert report.retry_after_seconds is None
