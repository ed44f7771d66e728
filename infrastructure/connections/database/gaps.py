"""Where what is told to all who listen may have been missed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Something may have been told here that was not heard; from here on it is.

    Attributes:
        dropped: How much of what came was not read in time; 0 when nobody listened, and nobody
            knows.
    """

    dropped: int = 0
