"""What DynamoDB answers with, by code, beyond what every service of AWS does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infrastructure.errors import (
    ConflictError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
)

CODES: dict[str, type[InfrastructureError]] = {
    **dict.fromkeys(("ConditionalCheckFailedException", "ResourceInUseException"), ConflictError),
    **dict.fromkeys(
        (
            *("LimitExceededException", "ProvisionedThroughputExceededException"),
            *("ReplicatedWriteConflictException", "TransactionConflictException"),
            "TransactionInProgressException",
        ),
        OverloadedError,
    ),
    **dict.fromkeys(("ResourceNotFoundException", "TableNotFoundException"), NotFoundError),
}
CANCELED = "TransactionCanceledException"
_FINE = "None"
#: The transaction itself is right, and may be done when others are through.
_CROWDED = frozenset(
    {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict", _FINE}
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one write of a transaction was not done.

    Attributes:
        code: DynamoDB's word, such as `ConditionalCheckFailed`; `None` for a write that was fine.
        message: Its text; empty for none.
    """

    code: str
    message: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether another write was the one that failed."""
        return self.code == _FINE


class TransactionFailedError(ConflictError):
    """None of its writes was done.

    Attributes:
        reasons: One for each write, in their order.
    """

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", reasons: Sequence[Reason] = ()
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.reasons = tuple(reasons)


def canceled(found: Sequence[dict[str, Any]], where: str) -> InfrastructureError:
    """Our error for a transaction that was cancelled for these reasons."""
    reasons = [Reason(str(each.get("Code", _FINE)), each.get("Message") or "") for each in found]
    told = [f"{number}: {each.code}" for number, each in enumerate(reasons) if not each.is_fine]
    what = f"the transaction was not done; by its writes, {', '.join(told) or 'no reason told'}"
    if reasons and all(each.code in _CROWDED for each in reasons):
        return OverloadedError(what, where=where, hint="Do the whole transaction again.")
    return TransactionFailedError(what, where=where, reasons=reasons)
