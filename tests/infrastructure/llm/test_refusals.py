from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.connections.http_refusals import retry_after, shortened
from infrastructure.errors import Category, InfrastructureError, RejectedError
from infrastructure.llm.refusals import ContextLengthError, refusal

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(min_value=0, max_value=10**6))
def test_seconds_and_date_mean_the_same(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after({"retry-after": str(seconds)}, now=NOW) == seconds
    assert retry_after({"retry-after": date}, now=NOW) == seconds


@given(st.text(max_size=40))
def test_any_header_gives_a_wait_or_nothing(text: str) -> None:
    seconds = retry_after({"retry-after": text}, now=NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "Wed, 99 Foo"])
def test_unreadable_header_says_nothing(text: str) -> None:
    assert retry_after({"retry-after": text}) is None


def test_milliseconds_are_preferred() -> None:
    assert retry_after({"retry-after": "1", "retry-after-ms": "250"}) == 0.25


def test_past_date_means_now() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, now=NOW) == 0.0


@given(st.integers(min_value=300, max_value=599), st.text(max_size=20), st.text(max_size=500))
def test_every_status_is_an_error_with_a_category(status: int, code: str, text: str) -> None:
    error = refusal(status, code=code, text=text, headers={}, where="llm.default")
    assert isinstance(error, InfrastructureError)
    assert error.category is not Category.UNKNOWN
    assert str(status) in str(error)


def test_context_length_is_known_by_its_code_at_any_status() -> None:
    long = refusal(413, code="context_length_exceeded", text="", headers={}, where="")
    other = refusal(413, code="other", text="", headers={}, where="")
    assert (type(long), type(other)) == (ContextLengthError, RejectedError)


def test_text_that_refuses_credentials_is_left_out() -> None:
    error = refusal(401, code="bad", text="key sk-1 is wrong", headers={}, where="")
    assert "sk-1" not in str(error)


@given(st.text())
def test_shortened_is_one_short_line(text: str) -> None:
    line = shortened(text)
    assert len(line) <= 303
    assert len(line.splitlines()) <= 1
