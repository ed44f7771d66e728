"""The numbers that `increment` adds to: whole, and of 64 bits, as the servers keep them."""

from typing import Any, Final

from infrastructure.errors import ConflictError

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1


def sum_of(value: Any, amount: int, where: str) -> int:
    """What a stored value is after `amount` was added.

    Raises:
        ConflictError: It is not an int, or the sum is beyond 64 bits.
    """
    if type(value) is not int:
        what = f"cannot increment a value of type '{type(value).__name__}'"
        raise ConflictError(what, where=where)
    if not INT_MIN <= value + amount <= INT_MAX:
        raise ConflictError("the sum is beyond 64 bits", where=where)
    return value + amount
