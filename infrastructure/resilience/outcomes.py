"""What an error says about the other side: whether it works, fails, or nothing."""

from collections.abc import Iterable
from enum import Enum

from infrastructure.errors import Category, RejectedError, classify
from infrastructure.resilience.rules import ErrorRules, Rule


class Verdict(Enum):
    """What a call that has ended says about what it called."""

    SUCCESS = "success"
    """It works: it gave a result, or answered "no"."""
    FAILURE = "failure"
    """It does not work."""
    NONE = "none"
    """Nothing: the caller gave up, or a limit or a mistake on this side ended the call."""


class Outcomes:
    """Judges errors: first by rules, then by `classify`.

    Without a rule transient and unknown errors are failures; a `RejectedError` is an answer, so
    a success; cancellations, overload and other permanent errors say nothing. What is no
    `Exception`, such as a cancellation or a keyboard interrupt, is never put to a rule.

    Args:
        record_on: Errors that are failures.
        ignore_on: Errors that say nothing; wins over `record_on`.
        counts_overload: Take refusals for failures, too: those of the other side and those of
            limits and breakers within.
        where: Whose rules they are, for errors.

    Raises:
        ConfigurationError: A rule is none.
    """

    def __init__(
        self,
        record_on: Rule | Iterable[Rule] = (),
        ignore_on: Rule | Iterable[Rule] = (),
        *,
        counts_overload: bool = False,
        where: str = "",
    ) -> None:
        self._record_on = ErrorRules(record_on, where)
        self._ignore_on = ErrorRules(ignore_on, where)
        self._failures = {Category.TRANSIENT, Category.UNKNOWN}
        if counts_overload:
            self._failures.add(Category.OVERLOAD)

    def judge(self, error: BaseException) -> Verdict:
        """Say what this error means."""
        if not isinstance(error, Exception) or self._ignore_on.mean(error):
            return Verdict.NONE
        if self._record_on.mean(error) or classify(error) in self._failures:
            return Verdict.FAILURE
        return Verdict.SUCCESS if isinstance(error, RejectedError) else Verdict.NONE
