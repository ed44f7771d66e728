"""The answer of one check, and that of many."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from infrastructure.errors import InfrastructureError, classify


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
        age_seconds: How long ago it was asked, when the answer was kept.
    """

    status: Status
    latency_seconds: float = 0.0
    detail: str = ""
    age_seconds: float = 0.0

    @property
    def is_up(self) -> bool:
        """Whether the component answered."""
        return self.status is Status.UP


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The answer of a group.

    Attributes:
        group: Which one.
        status: DOWN when a component is that the application cannot do without, UNKNOWN when
            nobody has asked one yet; DEGRADED when another one is, or any is DEGRADED.
        components: Each component's answer, by name.
    """

    group: str
    status: Status
    components: Mapping[str, Health] = field(default_factory=dict)

    @property
    def is_serving(self) -> bool:
        """Whether a load balancer should send requests."""
        return self.status in {Status.UP, Status.DEGRADED}


def reason(error: Exception) -> str:
    """Our errors say nothing secret; of others, the class and the category."""
    said = str(error) if isinstance(error, InfrastructureError) else type(error).__name__
    return f"{classify(error)}: {said}"


def spared(status: Status) -> Status:
    """What the application can do without is at most DEGRADED."""
    return status if status is Status.UP else Status.DEGRADED


def worst(statuses: Iterable[Status]) -> Status:
    """What is true of all together; UP of none."""
    order = (Status.UP, Status.DEGRADED, Status.UNKNOWN, Status.DOWN)
    return max(statuses, key=order.index, default=Status.UP)
