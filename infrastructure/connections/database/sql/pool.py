"""What a SQLAlchemy pool says of itself, and what its errors mean: the same in both worlds."""

from abc import abstractmethod

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, PendingRollbackError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import Pool, QueuePool

from infrastructure.connections.database.conflicts import VersionConflictError
from infrastructure.connections.database.sql.settings import SqlSettings
from infrastructure.connections.standing import PoolStats, Standing
from infrastructure.errors import (
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

#: SQLAlchemy's code for the use of a transaction after its connection.
_LOST = "8s2b"


class SqlPool(Standing):
    """The half of a SQL connection manager that talks to nobody."""

    settings: SqlSettings

    def pool_stats(self) -> PoolStats:
        """How many connections there are; zeros when not connected."""
        pool = self._pool()
        if not isinstance(pool, QueuePool):
            return PoolStats(size=0, in_use=0, limit=0)
        in_use = pool.checkedout()
        limit = pool.size() + pool._max_overflow  # noqa: SLF001 - the pool has no name for it
        return PoolStats(size=pool.checkedin() + in_use, in_use=in_use, limit=limit)

    def translated(self, error: Exception) -> InfrastructureError | None:
        """Our error for one of SQLAlchemy's or of Python's; None when it is neither."""
        if isinstance(error, PendingRollbackError) and error.code == _LOST:
            return UnavailableError(
                "the transaction was lost with its connection",
                where=self.name,
                hint="Run the whole transaction again.",
            )
        if isinstance(error, UnicodeError | OverflowError):  # the driver passes Python's on
            return self._unfit(error)
        if isinstance(error, DBAPIError):
            cause = error.orig or error
            return self._translate(cause) or RejectedError(type(cause).__name__, where=self.name)
        if isinstance(error, StaleDataError):
            return VersionConflictError(
                "a row was changed or deleted since it was read",
                where=self.name,
                hint="Read it again and decide anew.",
            )
        if not isinstance(error, PoolTimeoutError):
            return None
        stats = self.pool_stats()
        return OverloadedError(
            f"all {stats.limit} connections stayed in use for up to "
            f"{self.settings.within_deadline(self.settings.pool_timeout_seconds):g} s",
            where=self.name,
            hint="Raise pool_size or max_overflow, or hold sessions for a shorter time.",
        )

    @abstractmethod
    def _pool(self) -> Pool | None:
        """The open pool."""

    @abstractmethod
    def _translate(self, error: BaseException) -> InfrastructureError | None:
        """Our error for one of the driver's, by its code; None when it is not the driver's."""

    def _on_error(self, context: ExceptionContext) -> BaseException | None:
        if context.is_pre_ping:
            context.is_disconnect = True  # a ping that fails for any reason ends the connection
            return None
        error = self._error_for(context)
        if isinstance(error, UnavailableError):
            # a slow statement says nothing about the other connections
            context.invalidate_pool_on_disconnect = context.is_disconnect
            context.is_disconnect = True
        return error

    def _error_for(self, context: ExceptionContext) -> InfrastructureError | None:
        original, wrapped = context.original_exception, context.sqlalchemy_exception
        if not isinstance(original, Exception):
            return None  # the caller was cancelled
        if self._is_left(context):
            return UnavailableError("was closed while in use", where=self.name)
        found = self._translate(original)
        if context.is_disconnect:
            lost = UnavailableError("the connection was lost", where=self.name)
            return found if isinstance(found, UnavailableError) else lost
        if isinstance(wrapped, StatementError) and not isinstance(wrapped, DBAPIError):
            is_told = original.args and not isinstance(original, LookupError | ValueError)
            reason = original.args[0] if is_told else type(original).__name__  # they quote values
            return RejectedError(f"the statement's parameters: {reason}", where=self.name)
        is_misfit = found is None and isinstance(original, ValueError)
        return self._unfit(original) if is_misfit else found

    def _unfit(self, error: Exception) -> RejectedError:
        return RejectedError(f"a value does not fit ({type(error).__name__})", where=self.name)

    def _is_left(self, context: ExceptionContext) -> bool:
        """Whether the engine the error comes from has been closed since."""
        pool = self._pool()
        return pool is None or (context.engine is not None and context.engine.pool is not pool)
