"""What is counted and measured, asked for when somebody looks.

Nothing is pushed: whatever counts keeps plain ints and floats on itself, and says what they are
when it is asked. A count on a hot path costs `self.hits += 1`.

Names are those of the OpenTelemetry semantic conventions where they have one, such as
`db.client.connection.count`; else `switchgear.<part>.<what>`, singular or plural as it is
spoken. Words in names are parted by dots and underscores; a unit or `total` is never in a name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

#: Labels that mean the same in every measurement: the provider path, the kind of its backend, the
#: operation called, and how it went (`ok` or a category of `infrastructure.errors`).
COMPONENT = "component"
KIND = "kind"
OPERATION = "operation"
OUTCOME = "outcome"
#: The operation by which any component opens.
CONNECT = "connect"


class Instrument(StrEnum):
    """How a value may change from one look to the next."""

    COUNTER = "counter"
    """Only up, from 0 at the start of the process."""
    GAUGE = "gauge"
    """Up and down: how it is now."""
    HISTOGRAM = "histogram"
    """How many values were at most so large; the value is their sum."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number with its name, at the time of looking.

    Attributes:
        name: Dotted, such as `switchgear.cache.hits`.
        kind: How the value may change.
        value: The number; of a histogram, the sum of what was recorded.
        unit: In UCUM's spelling: `s`, `By`, `1` for a share, `{hit}` for a count of hits.
        labels: What tells it from others of its name. Few values each: never a key, an address,
            a text or a number of a user's.
        description: One line for people.
        buckets: Of a histogram: upper bounds in rising order, the last infinite, and how many
            values were at most so large.
    """

    name: str
    kind: Instrument
    value: float
    unit: str = "1"
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    buckets: tuple[tuple[float, int], ...] = ()


@runtime_checkable
class Measured(Protocol):
    """Anything that counts."""

    def measurements(self) -> Iterable[Measurement]:
        """Say what was counted so far; cheap, without I/O, callable from any thread."""
        ...


def counter(
    name: str, value: float, labels: Mapping[str, str] | None = None, *, unit: str = "1"
) -> Measurement:
    """A value that only rises."""
    return Measurement(name, Instrument.COUNTER, value, unit, labels or {})


def gauge(
    name: str, value: float, labels: Mapping[str, str] | None = None, *, unit: str = "1"
) -> Measurement:
    """A value as it is now."""
    return Measurement(name, Instrument.GAUGE, value, unit, labels or {})
