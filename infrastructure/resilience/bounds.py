"""Numbers in settings of strategies are looked at when the strategy is made."""

from math import inf, isfinite

from infrastructure.errors import ConfigurationError


def checked_number(
    value: float, name: str, where: str, *, at_least: float = 0, at_most: float = inf
) -> float:
    """A finite number within both bounds.

    Raises:
        ConfigurationError: It is not.
    """
    if _is_finite(value) and at_least <= value <= at_most:
        return value
    bounds = f"at least {at_least:g}" if at_most == inf else f"from {at_least:g} to {at_most:g}"
    raise ConfigurationError(
        f"{name} must be a finite number, {bounds}; found {value!r}", where=where
    )


def checked_count(
    value: int, name: str, where: str, *, at_least: int = 1, at_most: float = inf
) -> int:
    """A whole number within both bounds.

    Raises:
        ConfigurationError: It is none.
    """
    if _is_finite(value) and at_least <= value <= at_most and value == int(value):
        return int(value)
    bounds = f"from {at_least}" if at_most == inf else f"from {at_least} to {at_most}"
    raise ConfigurationError(
        f"{name} must be a whole number {bounds}; found {value!r}", where=where
    )


def checked_seconds(value: float, name: str, where: str) -> float:
    """A length of time above 0.

    Raises:
        ConfigurationError: It is none.
    """
    if _is_finite(value) and value > 0:
        return value
    raise ConfigurationError(f"{name} must be seconds above 0; found {value!r}", where=where)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
