"""What every file of DynamoDB's manager stands on: the connection, and tables."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from infrastructure.connections.external.aws.errors import ForbiddenError
from infrastructure.connections.external.aws.manager import AwsConnectionManager
from infrastructure.connections.external.dynamodb.errors import CANCELED, CODES, canceled
from infrastructure.connections.external.dynamodb.settings import DynamoSettings
from infrastructure.connections.external.dynamodb.tables import Table
from infrastructure.errors import (
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
)
from infrastructure.resilience import ExponentialBackoffStrategy, Retry

_MANY = 10_000


class DynamoBase(AwsConnectionManager):
    """The client, and the tables it asks for."""

    Settings: ClassVar[type[DynamoSettings]] = DynamoSettings
    settings: DynamoSettings
    service: ClassVar[str] = "dynamodb"
    codes: ClassVar[Mapping[str, type[InfrastructureError]]] = CODES
    operations = frozenset({"ensure_table", "drop_table"})

    async def ensure_table(self, table: Table) -> bool:
        """Create the table unless it is there, and wait for it; say whether it was created.

        Raises:
            ConflictError: It is there with other keys, or lacks an index.
            OverloadedError: It was not there within `table_timeout_seconds`; when those end amid
                a request, UnavailableError.
        """
        is_new, found = await self._once_active(table)
        if wrong := list(table.differences(found)):
            raise ConflictError(
                f"table '{table.name}' is another one: {'; '.join(wrong)}",
                where=self.name,
                hint="Name another table, or change this one by hand.",
            )
        if table.ttl_attribute:
            await self._ensure_ttl(table)
        return is_new

    async def drop_table(self, name: str) -> None:
        """Delete the table and all that is in it; harmless when there is none."""
        with suppress(NotFoundError):
            await self.ask("delete_table", subject=name, TableName=name)

    async def send(
        self, operation: str, subject: str, parameters: dict[str, Any], *, is_repeatable: bool
    ) -> dict[str, Any]:
        """As for every service; the driver takes any page for an answer without contents."""
        answer = await super().send(operation, subject, parameters, is_repeatable=is_repeatable)
        kind = answer["ResponseMetadata"]["HTTPHeaders"].get("content-type", "")
        if "json" not in kind:
            raise DataError(
                f"the answer cannot be read: it is of type '{kind}'",
                where=self.name,
                hint="Is there something between that answers in its place?",
            )
        return answer

    def refused(self, error: ClientError, subject: str) -> InfrastructureError:
        """As for every service; a transaction has a reason for each of its writes."""
        if error.response.get("Error", {}).get("Code") == CANCELED:
            return canceled(error.response.get("CancellationReasons", ()), self.name)
        return super().refused(error, subject)

    async def _described(self, name: str) -> dict[str, Any]:
        answer = await self.ask("describe_table", subject=name, TableName=name)
        found: dict[str, Any] = answer["Table"]
        return found

    async def _once_active(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """Whether it was created, and how it is then.

        A table on its way out is waited for; one just created may not be seen for a moment.
        """
        is_new = False

        async def look() -> dict[str, Any]:
            nonlocal is_new
            found: dict[str, Any] = {"TableStatus": "CREATING"}
            try:
                found = await self._described(table.name)
            except NotFoundError:
                with suppress(ConflictError):  # somebody else was quicker
                    await self.ask("create_table", subject=table.name, **table.wire())
                    is_new = True
                with suppress(NotFoundError):
                    found = await self._described(table.name)
            if found["TableStatus"] not in {"ACTIVE", "UPDATING"}:
                raise OverloadedError(
                    f"table '{table.name}' is {found['TableStatus'].lower()}", where=self.name
                )
            return found

        waiting = Retry(
            _MANY,
            ExponentialBackoffStrategy(0.05, 2.0),
            timeout=self.settings.table_timeout_seconds,
            retry_on=OverloadedError,
        )
        found = await waiting.run(look)
        return is_new, found

    async def _ensure_ttl(self, table: Table) -> None:
        if await self._has_ttl(table):
            return
        try:
            await self.ask(
                "update_time_to_live",
                subject=table.name,
                TableName=table.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl_attribute},
            )
        except RejectedError:
            if not await self._has_ttl(table):  # else somebody else was quicker
                raise

    async def _has_ttl(self, table: Table) -> bool:
        answer = await self.ask("describe_time_to_live", subject=table.name, TableName=table.name)
        found = answer["TimeToLiveDescription"]
        name = found.get("AttributeName") if found["TimeToLiveStatus"] != "DISABLED" else None
        if name not in {None, table.ttl_attribute}:
            raise ConflictError(
                f"items of table '{table.name}' end by '{name}', not '{table.ttl_attribute}'",
                where=self.name,
            )
        return name is not None

    async def _look(self) -> None:
        """Who may not list tables is let in all the same."""
        with suppress(ForbiddenError):
            await self.send("list_tables", "", {"Limit": 1}, is_repeatable=True)

    async def _ping(self) -> str:
        await self._look()
        return f"DynamoDB at {self.settings.place()} answered"
