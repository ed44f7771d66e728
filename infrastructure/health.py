"""How a component is doing, in one shape for every part."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Status(StrEnum):
    """How a component answered its last check."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of one check.

    Attributes:
        status: UP when a first real operation answered.
        latency_seconds: How long the operation took, or how long it was waited for.
        detail: One line for people, free of secrets.
    """

    status: Status
    latency_seconds: float = 0.0
    detail: str = ""

    @property
    def is_up(self) -> bool:
        """Whether the component answered."""
        return self.status is Status.UP


class Checkable(Protocol):
    """Anything that can say how it is doing; its own deadline bounds the check."""

    async def health_check(self) -> Health:
        """Try one real operation and report; never raises for a component that is down."""
        ...


async def check_all(components: Mapping[str, Checkable]) -> dict[str, Health]:
    """Check every component at once; the whole takes as long as the slowest check."""
    answers = await asyncio.gather(*(component.health_check() for component in components.values()))
    return dict(zip(components, answers, strict=True))
