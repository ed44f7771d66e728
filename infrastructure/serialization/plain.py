"""Whether msgpack alone keeps a value as it is, told level by level, without a loop over items."""

from gc import get_referents
from typing import Any, Final

from infrastructure.serialization.codes import MAX_DEPTH

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
    # What lists and dicts hold, keys too, but for those that are str exactly: these need no look.
    found = get_referents(value)
    for _ in range(MAX_DEPTH + 1):
        if _SCALARS.issuperset(map(type, found)):
            return True
        if not _ALL.issuperset(map(type, found)):
            return False
        if len(found) > _FEW:  # what contains itself many times must not be multiplied
            found = list({id(each): each for each in found}.values())
        found = get_referents(*found)
    return False
