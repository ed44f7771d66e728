"""Whether msgpack alone keeps a value as it is, told level by level, without a loop over items."""

import sys
from typing import Any, Final

from infrastructure.serialization.codes import MAX_DEPTH

# What lists and dicts hold, keys too, but for those that are str exactly: these need no look.
if sys.version_info < (3, 13):
    from gc import get_referents as _held
else:  # there, the dict of an object does not tell the collector what it holds

    def _held(*values: Any) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if type(value) is dict:
                found += value
                found += value.values()
            elif type(value) is list:
                found += value
        return found


_SCALARS: Final = frozenset({bytes, bool, float, type(None), int, str})
_ALL: Final = _SCALARS | {dict, list}
_FEW: Final = 64


def is_plain(value: Any) -> bool:
    """Whether it is made of msgpack's own types only, exactly.

    An int may still be too large, and a text have a lone surrogate: packing tells.
    """
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind not in _ALL:
        return False
    found = _held(value)
    for _ in range(MAX_DEPTH + 1):
        if _SCALARS.issuperset(map(type, found)):
            return True
        if not _ALL.issuperset(map(type, found)):
            return False
        if len(found) > _FEW:  # what contains itself many times must not be multiplied
            found = list({id(each): each for each in found}.values())
        found = _held(*found)
    return False
