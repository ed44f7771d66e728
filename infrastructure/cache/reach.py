"""Whether a storage, and loaders, answer; said once a change and not once a call."""

import time
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from infrastructure.errors import (
    ConfigurationError,
    ConflictError,
    InfrastructureError,
    UnsupportedError,
    classify,
)

T = TypeVar("T")

#: Mistakes of the caller: the storage did answer, or was not asked.
MISTAKES: Final = (ConfigurationError, ConflictError, UnsupportedError)


class Reach:
    """What is known about one provider's storage, by its last answer.

    Attributes:
        is_down: The last call got no answer.
    """

    def __init__(self, name: str) -> None:
        self.is_down = False
        self._name = name
        self._since = 0.0

    async def ask(self, call: Awaitable[T]) -> T:
        """Await a call of the provider, and note how it went."""
        try:
            answer = await call
        except InfrastructureError as error:
            self.failed(error)
            raise
        if self.is_down:
            self.answered()
        return answer

    def failed(self, error: InfrastructureError) -> None:
        """A call raised this."""
        if self.is_down or isinstance(error, MISTAKES):
            return
        self.is_down, self._since = True, time.monotonic()
        logger().warning(
            "cache is down; callers go on without it",
            cache=self._name,
            category=str(classify(error)),
            error=str(error),
        )

    def answered(self) -> None:
        """A call was answered after some were not."""
        self.is_down = False
        seconds = round(time.monotonic() - self._since, 3)
        logger().info("cache answers again", cache=self._name, down_seconds=seconds)


class LoaderState:
    """Whether the loaders of a namespace answer, said once a change."""

    def __init__(self, cache: str, namespace: str) -> None:
        self._told = {"cache": cache, "namespace": namespace}
        self._is_failing = False

    def failed(self, error: Exception) -> None:
        """A stale value is given in the place of what the loader did not."""
        if not self._is_failing:
            self._is_failing = True
            event = "cache loader failed; stale values are given"
            logger().warning(event, error=f"{type(error).__name__}: {error}", **self._told)

    def answered(self) -> None:
        """A loader answered."""
        if self._is_failing:
            self._is_failing = False
            logger().info("cache loader answers again", **self._told)


def logger() -> Any:
    """The cache's logger."""
    from infrastructure.observability.logging import get_logger  # only a change needs it

    return get_logger("infrastructure.cache")
