"""Which errors are meant: by type, by category, or by a question asked of the error."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from infrastructure.errors import (
    Category,
    ConfigurationError,
    DeadlineExceededError,
    OutcomeUnknownError,
    UnavailableError,
    classify,
)

Rule: TypeAlias = type[Exception] | Category | str | Callable[[Exception], bool]
"""An exception type, a category or its word, or a function that says yes or no."""

TEMPORARY: tuple[Rule, ...] = (Category.TRANSIENT, Category.OVERLOAD)
"""What may go away by itself."""

# Python's words for what our tree says in its own
_SAME: dict[type[Exception], type[Exception]] = {
    ConnectionError: UnavailableError,
    TimeoutError: DeadlineExceededError,
}


class ErrorRules:
    """A list of rules; an error is meant when one of them says so.

    `ConnectionError` and `TimeoutError` also mean our `UnavailableError` and
    `DeadlineExceededError`. What somebody cancelled is never meant, and an unknown outcome only
    when `OutcomeUnknownError` or a subclass is named itself.

    Raises:
        ConfigurationError: One of them is no rule.
    """

    __slots__ = ("_categories", "_rules", "_types", "_unknown_outcomes", "_yes")

    def __init__(self, rules: Rule | Iterable[Rule], where: str) -> None:
        listed = [rules] if isinstance(rules, str | type) or callable(rules) else list(rules)
        self._rules = tuple(_checked(rule, where) for rule in listed)
        named = [rule for rule in self._rules if isinstance(rule, type)]
        self._types = (*named, *(_SAME[kind] for kind in named if kind in _SAME))
        self._unknown_outcomes = tuple(t for t in named if issubclass(t, OutcomeUnknownError))
        self._categories = frozenset(rule for rule in self._rules if isinstance(rule, Category))
        self._yes = [
            rule for rule in self._rules if not isinstance(rule, type | str) and callable(rule)
        ]

    def mean(self, error: Exception) -> bool:
        """Whether one of the rules is about this error."""
        if isinstance(error, OutcomeUnknownError):
            return isinstance(error, self._unknown_outcomes)
        return (
            isinstance(error, self._types)
            or (bool(self._categories) and classify(error) in self._categories)
            or any(says_yes(error) for says_yes in self._yes)
        )

    def __repr__(self) -> str:
        words = [getattr(rule, "__name__", None) or str(rule) for rule in self._rules]
        return f"[{', '.join(words)}]"


def _checked(rule: Rule, where: str) -> Rule:
    if isinstance(rule, type):
        if issubclass(rule, Exception):
            return rule
        problem = f"{rule.__name__} ends a program or a task and is never caught"
    elif isinstance(rule, str):
        if rule in set(Category) - {Category.CANCELLED}:
            return Category(rule)
        problem = f"'{rule}' is no category"
    elif callable(rule):
        return rule
    else:
        problem = f"{rule!r} is no rule"
    raise ConfigurationError(
        problem,
        where=where,
        hint="A rule is an exception type, 'transient', 'overload', 'permanent', 'unknown' or a "
        "function of the error that gives True or False.",
    )
