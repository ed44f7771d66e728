"""How long to wait before the next attempt."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from infrastructure.resilience.bounds import checked_number


class BackoffStrategy(Protocol):
    """Anything that is called with a number and gives seconds; a plain function will do."""

    def __call__(self, attempt: int, /) -> float:
        """Seconds to wait before attempt number `attempt`; the first that waits is number 2."""
        ...


@dataclass(frozen=True, slots=True)
class ExponentialBackoffStrategy:
    """Waits that grow by a factor up to a cap, spread by chance.

    Args:
        initial_delay: Seconds before the second attempt.
        max_delay: The longest wait in seconds.
        multiplier: How much longer each wait is than the one before.
        jitter: The part of each wait that is left to chance: 0 is none of it, 0.5 waits between
            half and the whole, 1 between nothing and the whole.
        chance: Where chance comes from: numbers from 0 up to, not including, 1.
    """

    initial_delay: float = 0.1
    max_delay: float = 10.0
    multiplier: float = 2.0
    jitter: float = 0.5
    chance: Callable[[], float] = field(default=random.random, repr=False, compare=False)

    def __post_init__(self) -> None:
        checked_number(self.initial_delay, "initial_delay", type(self).__name__, at_least=0)
        checked_number(
            self.max_delay, "max_delay", type(self).__name__, at_least=self.initial_delay
        )
        checked_number(self.multiplier, "multiplier", type(self).__name__, at_least=1)
        checked_number(self.jitter, "jitter", type(self).__name__, at_least=0, at_most=1)

    def __call__(self, attempt: int, /) -> float:
        """Seconds to wait before attempt number `attempt`."""
        return self.longest(attempt) * (1 - self.jitter * self.chance())

    def longest(self, attempt: int) -> float:
        """The wait before attempt number `attempt` when chance takes nothing off."""
        try:
            return min(self.max_delay, self.initial_delay * self.multiplier ** max(attempt - 2, 0))
        except OverflowError:
            return self.max_delay


@dataclass(frozen=True, slots=True)
class FixedDelayStrategy:
    """The same wait every time.

    Args:
        delay: Seconds.
        jitter: The part of the wait that is left to chance, from 0 to 1.
        chance: Where chance comes from: numbers from 0 up to, not including, 1.
    """

    delay: float
    jitter: float = 0.0
    chance: Callable[[], float] = field(default=random.random, repr=False, compare=False)

    def __post_init__(self) -> None:
        checked_number(self.delay, "delay", type(self).__name__, at_least=0)
        checked_number(self.jitter, "jitter", type(self).__name__, at_least=0, at_most=1)

    def __call__(self, _attempt: int, /) -> float:
        """Seconds to wait before any attempt."""
        return self.delay * (1 - self.jitter * self.chance())
