"""How a connection is opened: a few attempts, then none for a while."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.errors import UnavailableError
from infrastructure.resilience import (
    BreakerOptions,
    CircuitBreaker,
    CircuitBreakerOpenError,
    ExponentialBackoffStrategy,
    Retry,
    RetryBudget,
    deadline,
)

_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 1.0
#: Of attempts after a first one, all callers together.
_RETRIES_PER_SECOND = 5.0
#: After so many failures in a row it is left alone for a second, and ever longer.
_FAILURES = 5
_LONGEST_PAUSE_SECONDS = 5.0


class Opening:
    """Attempts under one deadline, with waits by chance between them, a budget and a breaker.

    What is refused for good, such as a password, is not attempted again by itself.

    Args:
        settings: `connect_attempts`, and `connect_timeout_seconds` for all of them together.
        name: The connection manager's.

    Raises (`run`):
        UnavailableError: It failed too often, so that it was not tried this time.
        InfrastructureError: What the last attempt said.
    """

    def __init__(self, settings: ConnectionSettings, name: str) -> None:
        self._name = name
        self._seconds = settings.connect_timeout_seconds
        self._breaker = CircuitBreaker(
            BreakerOptions(
                window_calls=_FAILURES,
                minimum_calls=_FAILURES,
                failure_rate=1.0,
                max_open_seconds=_LONGEST_PAUSE_SECONDS,
                open_seconds=1.0,
            ),
            name=f"{name}.connect",
            is_quiet=True,
        )
        self._retry = Retry(
            settings.connect_attempts,
            ExponentialBackoffStrategy(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS),
            budget=RetryBudget(0, min_per_second=_RETRIES_PER_SECOND, burst=_RETRIES_PER_SECOND),
            dependency=name,
            name=f"{name}.connect",
        )

    async def run(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Open by `attempt`, which is made once or more often."""
        with self._told():
            await self._breaker.run(self._bounded, attempt)

    async def _bounded(self, attempt: Callable[[], Awaitable[None]]) -> None:
        async with deadline(self._seconds, self._name):  # inside: no answer in time is a failure
            await self._retry.run(attempt)

    def run_sync(self, attempt: Callable[[], None]) -> None:
        """The same in a thread; its caller bounds it, and what blocks asks for the time left."""
        with self._told():
            self._breaker.run_sync(self._retry.run_sync, attempt)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except CircuitBreakerOpenError as error:
            raise UnavailableError(
                f"not tried again yet, since opening it failed {_FAILURES} times in a row",
                where=self._name,
                hint=f"The next attempt is made in {error.retry_after_seconds or 0:.1f} s.",
            ) from error
