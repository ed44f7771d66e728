"""What errors say about the other side."""

import asyncio

import pytest

from infrastructure.errors import (
    Category,
    ConfigurationError,
    DeadlineExceededError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.outcomes import Outcomes, Verdict


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (UnavailableError("down"), Verdict.FAILURE),
        (DeadlineExceededError(1), Verdict.FAILURE),
        (TimeoutError(), Verdict.FAILURE),
        (OutcomeUnknownError("lost"), Verdict.FAILURE),
        (ValueError("of the callee"), Verdict.FAILURE),
        (NotFoundError("an answer"), Verdict.SUCCESS),
        (OverloadedError("later"), Verdict.NONE),
        (ConfigurationError("never left this process"), Verdict.NONE),
        (asyncio.CancelledError(), Verdict.NONE),
        (KeyboardInterrupt(), Verdict.NONE),
        (GeneratorExit(), Verdict.NONE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value.value,
)
def test_errors_are_judged_by_their_category(error: BaseException, verdict: Verdict) -> None:
    assert Outcomes().judge(error) is verdict


def test_record_rule_makes_a_failure_of_an_answer() -> None:
    assert Outcomes(record_on=[NotFoundError]).judge(NotFoundError("x")) is Verdict.FAILURE


def test_ignore_rule_wins_over_a_record_rule() -> None:
    outcomes = Outcomes(record_on=[Category.TRANSIENT], ignore_on=[UnavailableError])
    assert outcomes.judge(UnavailableError("x")) is Verdict.NONE


def test_rule_may_be_a_question_to_the_error() -> None:
    outcomes = Outcomes(ignore_on=[lambda error: "quiet" in str(error)])
    assert outcomes.judge(ValueError("quiet")) is Verdict.NONE
    assert outcomes.judge(ValueError("loud")) is Verdict.FAILURE


def test_overload_is_a_failure_when_told_so() -> None:
    assert Outcomes(counts_overload=True).judge(OverloadedError("x")) is Verdict.FAILURE


def test_no_rule_reaches_a_cancellation() -> None:
    outcomes = Outcomes(record_on=[lambda _: True], counts_overload=True)
    assert outcomes.judge(asyncio.CancelledError()) is Verdict.NONE
