"""What tests of several strategies share."""

import pytest

from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.resilience.breaker_calls import Service
from tests.infrastructure.resilience.retry_ways import WAYS, Way


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def remote() -> Service:
    return Service()


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def use(request: pytest.FixtureRequest) -> Way:
    """Every way to use a retry keeps the same promises."""
    way: Way = request.param
    return way
