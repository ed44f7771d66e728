"""What the shipped policies make of every error that a component can raise."""

import asyncio
import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from infrastructure import errors
from infrastructure.config import load_settings
from infrastructure.config.resources import packaged_folder
from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.postgres.sqlstate import _ERRORS as SQL_STATES
from infrastructure.connections.vector.qdrant.errors import _STATUS as QDRANT_STATUS
from infrastructure.errors import (
    AuthenticationError,
    BusinessError,
    ConfigurationError,
    ConflictError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    MissingExtraError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    StreamTruncatedError,
    UnavailableError,
    UnknownKindError,
    UnsupportedError,
)
from infrastructure.llm.refusals import ContextLengthError, refusal
from infrastructure.resilience.breaker import CircuitBreaker, CircuitBreakerOpenError, CircuitState
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.pipeline import Pipeline
from infrastructure.resilience.policies import Policies

SHIPPED = load_settings("test", resources=packaged_folder(), environ={}).resilience


class Counts(Enum):
    """What many errors of one class do to the circuit."""

    AGAINST = CircuitState.OPEN
    NOT = CircuitState.CLOSED


AGAINST, NOT = Counts
#: Error: how often `default` and `llm` make the call, and whether it counts against it.
TABLE: dict[type[BaseException], tuple[Callable[[], BaseException], int, int, Counts]] = {
    InfrastructureError: (lambda: InfrastructureError("x"), 1, 1, AGAINST),
    ConfigurationError: (lambda: ConfigurationError("x"), 1, 1, NOT),
    UnknownKindError: (lambda: UnknownKindError("x", ["y"]), 1, 1, NOT),
    MissingExtraError: (lambda: MissingExtraError("x", "y"), 1, 1, NOT),
    UnavailableError: (lambda: UnavailableError("x"), 3, 3, AGAINST),
    DeadlineExceededError: (lambda: DeadlineExceededError(1), 1, 1, AGAINST),
    OverloadedError: (lambda: OverloadedError("x"), 3, 3, NOT),
    TransactionConflictError: (lambda: TransactionConflictError("x"), 3, 3, NOT),
    CircuitBreakerOpenError: (lambda: CircuitBreakerOpenError("x"), 1, 1, NOT),
    OutcomeUnknownError: (lambda: OutcomeUnknownError("x"), 1, 1, AGAINST),
    RejectedError: (lambda: RejectedError("x"), 1, 1, NOT),
    AuthenticationError: (lambda: AuthenticationError("x"), 1, 1, NOT),
    NotFoundError: (lambda: NotFoundError("x"), 1, 1, NOT),
    ConflictError: (lambda: ConflictError("x"), 1, 1, NOT),
    UnsupportedError: (lambda: UnsupportedError("x"), 1, 1, NOT),
    ContextLengthError: (lambda: ContextLengthError("x"), 1, 1, NOT),
    DataError: (lambda: DataError("x"), 1, 1, NOT),
    StreamTruncatedError: (lambda: StreamTruncatedError("x"), 3, 3, AGAINST),
    BusinessError: (lambda: BusinessError("x"), 1, 1, NOT),
    asyncio.CancelledError: (asyncio.CancelledError, 1, 1, NOT),
    ValueError: (lambda: ValueError("a mistake of ours"), 1, 1, AGAINST),
    ConnectionResetError: (ConnectionResetError, 3, 3, AGAINST),
    TimeoutError: (TimeoutError, 1, 1, AGAINST),
}


class Failing:
    """Fails each time with a new error."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        self.error = error
        self.calls = 0

    async def ask(self) -> None:
        self.calls += 1
        raise self.error()


def pipeline(policy: str) -> Pipeline:
    return Policies(SHIPPED, clock=ManualClock()).policy(policy)


async def attempts(policy: str, error: Callable[[], BaseException]) -> int:
    service = Failing(error)
    with pytest.raises(type(error())):
        await pipeline(policy).run(service.ask)
    return service.calls


def test_the_table_has_every_error_of_the_tree() -> None:
    tree = {
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, (InfrastructureError, BusinessError))
    }
    assert tree - TABLE.keys() == set()


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
async def test_an_error_is_worth_as_many_attempts_as_the_table_says(kind: type[Any]) -> None:
    make, by_default, by_llm, _ = TABLE[kind]
    assert await attempts("default", make) == by_default
    assert await attempts("llm", make) == by_llm
    assert await attempts("vector", make) == 1


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
async def test_an_error_opens_the_circuit_as_the_table_says(kind: type[Any]) -> None:
    make, *_, counts = TABLE[kind]
    guarded = pipeline("vector")
    for _ in range(10):
        with pytest.raises(kind):
            await guarded.run(Failing(make).ask)
    breaker = next(one for one in guarded.strategies if isinstance(one, CircuitBreaker))
    assert breaker.state is counts.value


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, 1), (401, 1), (403, 1), (404, 1), (408, 3), (409, 1), (413, 1), (422, 1)]
    + [(status, 3) for status in (429, 500, 502, 503, 504, 529)],
)
async def test_an_answer_of_a_language_model_is_worth_so_many(status: int, expected: int) -> None:
    def refuse() -> InfrastructureError:
        return refusal(status, code="", text="", headers={}, where="llm.default")

    assert await attempts("llm", refuse) == expected


def test_what_databases_and_vector_stores_raise_is_in_the_table() -> None:
    assert {*SQL_STATES.values(), *QDRANT_STATUS.values()} - TABLE.keys() == set()


@pytest.mark.parametrize(("asked", "waits"), [(7.0, [7.0, 7.0]), (30.0, [30.0, 30.0]), (31.0, [])])
async def test_a_language_model_is_waited_for_as_it_asks_or_not_at_all_beyond_half_a_minute(
    asked: float, waits: list[float]
) -> None:
    clock = ManualClock()
    guarded = Policies(SHIPPED, clock=clock).policy("llm")
    service = Failing(lambda: OverloadedError("x", retry_after_seconds=asked))
    with pytest.raises(OverloadedError):
        await guarded.run(service.ask)
    assert clock.sleeps == waits
