"""Many items with few requests; what DynamoDB leaves undone is sent again."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from infrastructure.connections.external.dynamodb.base import DynamoBase
from infrastructure.connections.external.dynamodb.tables import KeyType
from infrastructure.connections.external.dynamodb.values import (
    from_wire,
    item_from_wire,
    item_to_wire,
)
from infrastructure.errors import OverloadedError, RejectedError
from infrastructure.resilience import ExponentialBackoffStrategy, Retry, idempotent

T = TypeVar("T")
_NOTHING: Mapping[str, Any] = {}
_KEY_TYPES = frozenset(KeyType)
_MOST_READ = 100
_MOST_WRITTEN = 25
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 5.0


class _UndoneError(OverloadedError):
    """A part of a batch was left undone."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch.

    Attributes:
        done: How many puts and deletes were done.
        left_puts: Items that were not stored, though sent `batch_attempts` times.
        left_deletes: Keys that were not deleted, likewise.
    """

    done: int
    left_puts: tuple[dict[str, Any], ...] = ()
    left_deletes: tuple[dict[str, Any], ...] = ()


class DynamoBatches(DynamoBase):
    """`timeout_seconds` bounds each request of a batch."""

    operations = frozenset({"batch_get", "batch_write"})

    @idempotent
    async def batch_get(
        self, table: str, keys: Sequence[Mapping[str, Any]], *, is_consistent: bool = False
    ) -> list[dict[str, Any] | None]:
        """The items with these keys, in their order; None for one that is not there.

        Raises:
            OverloadedError: Some were not given in `batch_attempts` requests.
        """
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        wanted = [item_to_wire(key) for key in keys]
        names = sorted(wanted[0]) if wanted else []
        once = {_mark(key, names): key for key in wanted}
        for some in _pieces(once.values(), _MOST_READ):
            items = await self._read(table, some, is_consistent=is_consistent)
            found |= {_mark(item, names): item for item in items}
        there = (found.get(_mark(key, names)) for key in wanted)
        return [None if item is None else item_from_wire(item) for item in there]

    async def batch_write(
        self,
        table: str,
        puts: Iterable[Mapping[str, Any]] = (),
        deletes: Iterable[Mapping[str, Any]] = (),
    ) -> Written:
        """Store items and delete keys, and say what was left undone; safe to repeat.

        They are not one transaction, and no item may be named twice.
        """
        requests = [{"PutRequest": {"Item": item_to_wire(item)}} for item in puts]
        requests += [{"DeleteRequest": {"Key": item_to_wire(key)}} for key in deletes]
        left: list[dict[str, Any]] = []
        for some in _pieces(requests, _MOST_WRITTEN):
            left += await self._write(table, some)
        return Written(
            done=len(requests) - len(left),
            left_puts=_left(left, "PutRequest", "Item"),
            left_deletes=_left(left, "DeleteRequest", "Key"),
        )

    async def _read(
        self, table: str, keys: list[dict[str, Any]], *, is_consistent: bool
    ) -> list[dict[str, Any]]:
        waiting: dict[str, Any] = {table: {"Keys": keys, "ConsistentRead": is_consistent}}
        items: list[dict[str, Any]] = []

        async def once() -> None:
            nonlocal waiting
            answer = await self.ask("batch_get_item", subject=table, RequestItems=waiting)
            items.extend(answer.get("Responses", {}).get(table, ()))
            waiting = answer.get("UnprocessedKeys", {})
            if waiting:
                raise _UndoneError(
                    f"{len(waiting[table]['Keys'])} keys of '{table}' were not read",
                    where=self.name,
                    hint="DynamoDB asks for fewer requests.",
                )

        await self._again(once)
        return items

    async def _write(self, table: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Gives what was left undone."""
        waiting = requests

        async def once() -> None:
            nonlocal waiting
            answer = await self.ask(
                "batch_write_item", subject=table, RequestItems={table: waiting}
            )
            waiting = answer.get("UnprocessedItems", {}).get(table, [])
            if waiting:
                raise _UndoneError(f"{len(waiting)} items were not written", where=self.name)

        try:
            await self._again(once)
        except _UndoneError:
            return waiting
        return []

    async def _again(self, once: Callable[[], Awaitable[None]]) -> None:
        """Until nothing is left undone, with ever longer waits."""
        await Retry(
            self.settings.batch_attempts,
            ExponentialBackoffStrategy(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS),
            dependency=self.name,
        ).run(once)


def _mark(item: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    """What tells items apart: the values of the key, among which 1 and 1.0 are the same."""
    wrong = [name for name in names if not item.get(name, _NOTHING).keys() <= _KEY_TYPES]
    if wrong:
        raise RejectedError(f"'{wrong[0]}' of a key is no text, number or bytes")
    return tuple(from_wire(item[name]) for name in names if name in item)


def _left(requests: list[dict[str, Any]], verb: str, part: str) -> tuple[dict[str, Any], ...]:
    return tuple(item_from_wire(each[verb][part]) for each in requests if verb in each)


def _pieces(whole: Iterable[T], length: int) -> Iterator[list[T]]:
    rest = iter(whole)
    while some := list(islice(rest, length)):
        yield some
