"""Rules about errors."""

import asyncio
from concurrent.futures import CancelledError
from typing import Any

import pytest

from infrastructure.errors import (
    AuthenticationError,
    Category,
    ConfigurationError,
    DeadlineExceededError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.resilience.rules import TEMPORARY, ErrorRules


class LostReplyError(OutcomeUnknownError):
    """A subclass that a caller may name."""


def means(rules: Any, error: Exception) -> bool:
    return ErrorRules(rules, "here").mean(error)


@pytest.mark.parametrize(
    "error", [UnavailableError("x"), OverloadedError("x"), ConnectionResetError(), TimeoutError()]
)
def test_temporary_errors_are_the_transient_and_the_overloaded(error: Exception) -> None:
    assert means(TEMPORARY, error)


@pytest.mark.parametrize(
    "error", [RejectedError("x"), ValueError(), OutcomeUnknownError("x"), CancelledError()]
)
def test_other_errors_are_not_temporary(error: Exception) -> None:
    assert not means(TEMPORARY, error)


def test_type_means_its_subclasses() -> None:
    assert means([RejectedError], AuthenticationError("x"))
    assert not means([AuthenticationError], RejectedError("x"))


def test_category_may_be_its_word() -> None:
    assert means(["permanent"], RejectedError("x"))
    assert means(Category.OVERLOAD, OverloadedError("x"))


def test_function_is_asked() -> None:
    assert means(lambda error: "busy" in str(error), ValueError("busy"))
    assert not means([lambda error: "busy" in str(error)], ValueError("idle"))


def test_pythons_words_for_no_answer_also_mean_ours() -> None:
    assert means([ConnectionError], UnavailableError("down"))
    assert means([TimeoutError], DeadlineExceededError(1))
    assert not means([TimeoutError], UnavailableError("down"))


@pytest.mark.parametrize("rules", [[Exception], ["unknown"], [lambda _: True]])
def test_unknown_outcome_is_not_meant_by_anything_wider(rules: Any) -> None:
    assert not means(rules, OutcomeUnknownError("sent, no answer"))


def test_unknown_outcome_is_meant_when_it_is_named() -> None:
    assert means([OutcomeUnknownError], LostReplyError("sent"))
    assert not means([LostReplyError], OutcomeUnknownError("sent"))


@pytest.mark.parametrize(
    "rule",
    [KeyboardInterrupt, BaseException, asyncio.CancelledError, "cancelled", "transiet", 503, int],
)
def test_what_is_no_rule_is_refused_with_the_list_of_what_is(rule: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"here: .*A rule is an exception type"):
        ErrorRules([rule], "here")


def test_rules_show_what_they_mean() -> None:
    assert repr(ErrorRules([ValueError, Category.OVERLOAD], "")) == "[ValueError, overload]"
