"""DynamoDB behind a network that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.external.dynamodb import (
    DynamoConnectionManager,
    DynamoSettings,
    Key,
    Table,
    Update,
)
from infrastructure.errors import OutcomeUnknownError, UnavailableError
from infrastructure.servers.moto import MotoServer
from tests.aws_address import aws_address
from tests.contracts.connection_faults import DEADLINE_SECONDS, ConnectionFaults
from tests.faults.proxy import FaultProxy
from tests.faults.requests_sent import RequestsSent

BOUNDS = {"timeout_seconds": DEADLINE_SECONDS, "connect_timeout_seconds": DEADLINE_SECONDS}
ONE = {"id": "one"}


@pytest.fixture(scope="module", autouse=True)
def descriptions_read(moto: MotoServer) -> None:
    """The driver reads its service's from files once a process, which is not the network's time."""
    asyncio.run(_opened(DynamoSettings.model_validate(aws_address(moto))))


async def _opened(settings: DynamoSettings) -> None:
    async with DynamoConnectionManager(settings):
        pass


@pytest.fixture
async def proxy(moto: MotoServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", urlsplit(moto.url).port or 0) as proxy:
        yield proxy


@pytest.fixture
async def manager(moto: MotoServer, proxy: FaultProxy) -> AsyncIterator[DynamoConnectionManager]:
    found = aws_address(moto, port=proxy.port, **BOUNDS)
    manager = DynamoConnectionManager(
        DynamoSettings.model_validate(found), name="external.instances.items"
    )
    yield manager
    await proxy.passes()
    await manager.disconnect()


@pytest.fixture
async def table(manager: DynamoConnectionManager) -> AsyncIterator[str]:
    await manager.ensure_table(Table("counter", Key("id")))
    await manager.put("counter", {**ONE, "n": 0})
    yield "counter"
    await manager.drop_table("counter")


class TestDynamo(ConnectionFaults):
    async def ask(self, manager: DynamoConnectionManager) -> Any:
        answer = await manager.ask("describe_limits")
        return answer["TableMaxReadCapacityUnits"]

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"secret_access_key": "not-this-one"}


async def test_a_count_without_an_answer_may_have_been_done_and_is_sent_once(
    manager: DynamoConnectionManager, proxy: FaultProxy, table: str
):
    proxy.reset_after(0)
    with pytest.raises(OutcomeUnknownError, match=f"'{table}' was sent"):
        await manager.update(table, ONE, add={"n": 1})
    await proxy.passes()
    assert await manager.get(table, ONE, is_consistent=True) == {**ONE, "n": 1}


async def test_a_count_that_is_not_answered_in_time_may_have_been_done(
    manager: DynamoConnectionManager, proxy: FaultProxy, table: str
):
    proxy.black_hole()
    with pytest.raises(OutcomeUnknownError, match=r"no answer within 0\.5 s"):
        await manager.update(table, ONE, add={"n": 1})
    await proxy.passes()


async def test_what_was_not_sent_was_not_done(
    manager: DynamoConnectionManager, proxy: FaultProxy, table: str
):
    await proxy.refuse()
    with pytest.raises(UnavailableError):
        await manager.update(table, ONE, add={"n": 1})
    await proxy.passes()
    assert await manager.get(table, ONE) == {**ONE, "n": 0}


async def test_a_named_transaction_is_done_once_however_often_it_is_sent(
    manager: DynamoConnectionManager, proxy: FaultProxy, table: str
):
    count = [Update(table, ONE, {"n": 5})]
    proxy.reset_after(0)
    with pytest.raises(UnavailableError):  # and not: its outcome is unknown
        await manager.transact(count, token="order-7")
    await proxy.passes()
    await manager.transact(count, token="order-7")
    assert await manager.get(table, ONE) == {**ONE, "n": 5}


async def test_a_write_that_is_safe_to_repeat_is_repeated(
    manager: DynamoConnectionManager, proxy: FaultProxy, table: str
):
    sent = RequestsSent(manager, "dynamodb.PutItem")
    proxy.half_reply(0)
    writing = asyncio.create_task(manager.put(table, {**ONE, "n": 7}))
    await sent.reach(2)
    await proxy.passes()
    await writing
    assert await manager.get(table, ONE) == {**ONE, "n": 7}
