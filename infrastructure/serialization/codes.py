"""The extension types of the form."""

from collections.abc import Callable
from typing import Any, Final

import msgspec


class Code:
    """A number never changes its meaning within a version of the form."""

    BIG_INT: Final = 1
    DECIMAL: Final = 2
    DATETIME: Final = 3
    DATE: Final = 4
    TIME: Final = 5
    TIMEDELTA: Final = 6
    UUID: Final = 7
    TUPLE: Final = 8
    SET: Final = 9
    FROZENSET: Final = 10
    PAIRS: Final = 11
    RAW_TEXT: Final = 12
    OBJECT: Final = 13
    MEMBER: Final = 14
    FLAG: Final = 15
    ABSENT: Final = 16
    UNSET: Final = 17


class Absent:
    """Stands for a field that an object does not have."""


ABSENT: Final = Absent()
MAX_DEPTH: Final = 64

pack: Final[Callable[[Any], bytes]] = msgspec.msgpack.Encoder().encode
