"""How many records are stored: in the store's batches, with an outcome for each."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from infrastructure.connections.vector.records import Record
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    InfrastructureError,
    NotFoundError,
    RejectedError,
    UnsupportedError,
    classify,
    worst_of,
)

#: A store that refuses so many records one by one refuses the rest by the batch.
MAX_REFUSALS = 16
#: Refusals that are about the call and not about one of its records.
_ABOUT_THE_CALL = (AuthenticationError, ConflictError, NotFoundError, UnsupportedError)


class UpsertError(InfrastructureError):
    """Some records of an upsert are stored and some are not; its category is the failures'.

    Attributes:
        stored: Ids of those that are stored, in the order given.
        failed: Why each other one is not, by id.
    """

    def __init__(
        self, stored: Sequence[str], failed: Mapping[str, InfrastructureError], *, where: str = ""
    ) -> None:
        self.stored = tuple(stored)
        self.failed = dict(failed)
        first, why = next(iter(self.failed.items()))
        super().__init__(
            f"{len(self.failed)} of {len(self.stored) + len(self.failed)} records are not stored;"
            f" the first is '{first}': {why.what}",
            where=where,
            hint="`failed` says why for each; `stored` are in.",
        )
        causes = list(self.failed.values())
        self.category = classify(worst_of(ExceptionGroup("", causes)))  # type: ignore[misc]  # of this one


Write = Callable[[Sequence[Record]], Awaitable[None]]


class Upsert:
    """One call's records on their way into the store, batch by batch.

    A batch that is refused is halved until the records to blame are found; the others go in.
    After a failure that is not about records nothing more is sent.

    Args:
        write: Stores one batch, whole or not at all.
        where: The store's name, for errors.
    """

    def __init__(self, write: Write, where: str) -> None:
        self._write = write
        self._where = where
        self._stored: list[str] = []
        self._failed: dict[str, InfrastructureError] = {}
        self._refused = 0

    async def run(self, records: Sequence[Record], batch_size: int) -> None:
        """Store them all.

        Raises:
            UpsertError: Some are stored and some are not.
            InfrastructureError: None is, for one and the same reason.
        """
        for start in range(0, len(records), batch_size):
            batch = records[start : start + batch_size]
            try:
                await self._store(batch)
            except InfrastructureError as error:
                if not self._stored and not self._failed:
                    raise
                done = {*self._stored, *self._failed}
                rest = (one.id for one in records[start:])
                self._failed |= {one: error for one in rest if one not in done}
                break
        if self._failed:
            cause = next(iter(self._failed.values()))
            if len(records) == 1:
                raise cause
            raise UpsertError(self._stored, self._failed, where=self._where) from cause

    async def _store(self, batch: Sequence[Record]) -> None:
        try:
            await self._write(batch)
        except RejectedError as error:
            if isinstance(error, _ABOUT_THE_CALL):
                raise
            await self._halve(batch, error)
        else:
            self._stored += [one.id for one in batch]

    async def _halve(self, batch: Sequence[Record], error: RejectedError) -> None:
        if len(batch) == 1 or self._refused >= MAX_REFUSALS:
            self._refused += len(batch)
            self._failed |= dict.fromkeys((one.id for one in batch), error)
            return
        middle = len(batch) // 2
        await self._store(batch[:middle])
        await self._store(batch[middle:])
