"""DynamoDB: items by key, alone, in queries, in batches and in transactions."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from infrastructure.connections.base import ConnectionType
from infrastructure.connections.external.base import ExternalRegistry
from infrastructure.connections.external.dynamodb.batches import DynamoBatches
from infrastructure.connections.external.dynamodb.values import (
    item_from_wire,
    item_to_wire,
    size_of,
)
from infrastructure.connections.external.dynamodb.writes import Delete, Put, Update, Write
from infrastructure.errors import RejectedError
from infrastructure.resilience import idempotent

_MARKS = {"LastEvaluatedKey": "ExclusiveStartKey"}
_MOST_WRITES = 100
_MOST_BYTES = 4 * 1024 * 1024
_NOTHING: Mapping[str, Any] = {}


@ExternalRegistry.register(ConnectionType.DYNAMODB)
class DynamoConnectionManager(DynamoBatches):
    """Items are mappings: None, booleans, text, bytes, Decimal, lists, mappings and sets survive.

    Raises (every call):
        UnavailableError: No answer within `timeout_seconds`; a write that is safe to repeat may
            have been done.
        OutcomeUnknownError: A write that is not safe to repeat was sent and not answered.
        OverloadedError: DynamoDB asks for fewer requests, or all `max_connections` were in use.
        AuthenticationError: The credentials do not count, or may not do this.
        NotFoundError: There is no such table.
        RejectedError: A value cannot be kept, or DynamoDB refused the request.
    """

    operations = frozenset({"delete", "get", "put", "query", "transact", "update"})

    @idempotent
    async def get(
        self, table: str, key: Mapping[str, Any], *, is_consistent: bool = False
    ) -> dict[str, Any] | None:
        """The item with this key; None when there is none.

        Args:
            table: Where it is.
            key: The key attributes and their values.
            is_consistent: Whether every write before it is seen, at twice the price.
        """
        answer = await self.ask(
            "get_item",
            subject=table,
            TableName=table,
            Key=item_to_wire(key),
            ConsistentRead=is_consistent,
        )
        return item_from_wire(answer["Item"]) if "Item" in answer else None

    async def put(self, table: str, item: Mapping[str, Any], **condition: Any) -> None:
        """Store an item, over the one with its key.

        Args:
            table: Where to.
            item: Its key, and any other attributes.
            condition: As `Condition` has them: `condition`, `values`, `names`, `version`.

        Raises:
            ConflictError: The condition did not hold, or the version was another.
        """
        await self._do("put_item", Put(table, item, **condition))

    async def update(
        self,
        table: str,
        key: Mapping[str, Any],
        changes: Mapping[str, Any] = _NOTHING,
        *,
        remove: Sequence[str] = (),
        add: Mapping[str, Any] = _NOTHING,
        **condition: Any,
    ) -> dict[str, Any]:
        """Change attributes of an item, and give the whole of it as it is then.

        Args:
            table: Where it is.
            key: Which; where there is none, it comes into being.
            changes: Attributes and their new values.
            remove: Attributes to take away.
            add: Numbers to add to attributes, and sets to unite with them.
            condition: As for `put`.

        Raises:
            ConflictError: As for `put`.
        """
        write = Update(table, key, changes, remove, add, **condition)
        answer = await self._do("update_item", write, ReturnValues="ALL_NEW")
        return item_from_wire(answer.get("Attributes", {}))

    async def delete(self, table: str, key: Mapping[str, Any], **condition: Any) -> None:
        """Delete an item; harmless when there is none.

        Args:
            table: Where it is.
            key: Which.
            condition: As for `put`.

        Raises:
            ConflictError: As for `put`.
        """
        await self._do("delete_item", Delete(table, key, **condition))

    async def query(
        self,
        table: str,
        condition: str,
        values: Mapping[str, Any],
        *,
        names: Mapping[str, str] = _NOTHING,
        index: str = "",
        only: str = "",
        is_descending: bool = False,
        is_consistent: bool = False,
        page_items: int | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Every item of one partition that fits, in the order of the sort key, page by page.

        Args:
            table: Where they are.
            condition: A key condition, such as `author = :author AND year > :year`.
            values: What its `:names` stand for.
            names: What its `#names` stand for.
            index: The index to ask; empty for the table itself.
            only: A filter on what was found; what it drops is paid for.
            is_descending: Whether the highest comes first.
            is_consistent: As for `get`; no global index can.
            page_items: The most items of a page; None for up to 1 MB.
        """
        optional = {
            "ExpressionAttributeNames": dict(names),
            "IndexName": index,
            "FilterExpression": only,
            "Limit": page_items,
        }
        given: dict[str, Any] = {name: value for name, value in optional.items() if value}
        given |= {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": item_to_wire(values),
            "ScanIndexForward": not is_descending,
            "ConsistentRead": is_consistent,
        }
        while True:
            page = await self.ask("query", subject=table, **given)
            for item in page.get("Items", ()):
                yield item_from_wire(item)
            if not (further := self.following(page, given, _MARKS)):
                return
            given |= further

    async def transact(self, writes: Sequence[Write], *, token: str = "") -> None:
        """Do all of the writes, or none.

        Args:
            writes: 1 to 100, of 4 MB in all, no item twice.
            token: Up to 36 characters that name this transaction: with the same one, it is done
                once within ten minutes however often it is sent, and so is safe to repeat.

        Raises:
            RejectedError: There are too many, or they are too large; nothing was sent.
            TransactionFailedError: (ConflictError) A condition did not hold; `reasons` says whose.
            OverloadedError: Others were writing the same items: do it again.
        """
        version = self.settings.version_attribute
        wires = [{write.verb: write.wire(version)} for write in writes]
        self._check_bounds(wires)
        await self.ask(
            "transact_write_items",
            subject=f"{len(wires)} writes",
            is_repeatable=bool(token),
            TransactItems=wires,
            **({"ClientRequestToken": token} if token else {}),
        )

    async def _do(
        self, operation: str, write: Put | Update | Delete, **more: Any
    ) -> dict[str, Any]:
        parameters = write.wire(self.settings.version_attribute)
        return await self.ask(
            operation,
            subject=write.table,
            is_repeatable=not write.is_conditional,
            **parameters,
            **more,
        )

    def _check_bounds(self, wires: list[dict[str, Any]]) -> None:
        parts = (part for wire in wires for part in wire.values())
        bytes_of = (
            size_of(part.get("Item", part.get("Key", {})))
            + size_of(part.get("ExpressionAttributeValues", {}))
            for part in parts
        )
        size = sum(bytes_of)
        if not 1 <= len(wires) <= _MOST_WRITES or size > _MOST_BYTES:
            raise RejectedError(
                f"a transaction has 1 to {_MOST_WRITES} writes and up to {_MOST_BYTES} bytes, "
                f"found {len(wires)} with {size}",
                where=self.name,
                hint="Split it, or write what need not be together with batch_write().",
            )
