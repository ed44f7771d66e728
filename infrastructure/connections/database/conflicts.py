"""Two units of work that got into each other's way: one of them has to begin again."""

from typing import ClassVar

from infrastructure.errors import Category, ConflictError


class TransactionConflictError(ConflictError):
    """The database gave up this transaction for another one: a deadlock or a lost serialization.

    Nothing of it was changed. The same transaction may succeed when it is run again as a whole,
    which `transact` does. Where there are many of them, fewer at a time is what helps.
    """

    category: ClassVar[Category] = Category.OVERLOAD


class VersionConflictError(ConflictError):
    """A row was changed or deleted by somebody else since it was read; nothing was written.

    Sending the same values again would undo the other change: read anew, and decide.
    """
