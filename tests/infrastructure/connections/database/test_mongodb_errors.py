"""What MongoDB and its drivers say, as our errors."""

import asyncio

import pytest
from pymongo.errors import (
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)

from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.mongodb import (
    Insert,
    MongodbConnectionManager,
    Update,
)
from infrastructure.errors import (
    AuthenticationError,
    Category,
    ConfigurationError,
    ConflictError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
    classify,
)
from infrastructure.resilience import deadline
from infrastructure.servers.mongodb import MongodbServer
from infrastructure.servers.process import free_port
from tests.mongodb import DRIVERS, fail, made, on_both_drivers

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: The server's word for an answer it could not send; the driver tries again.
_LOST = OperationFailure("", 9001, {"code": 9001, "errorLabels": ["RetryableWriteError"]})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (13, AuthenticationError),
        (18, AuthenticationError),
        (26, NotFoundError),
        (27, NotFoundError),
        (50, DeadlineExceededError),
        (59, UnsupportedError),
        (86, ConflictError),
        (112, TransactionConflictError),
        (121, RejectedError),
        (146, OverloadedError),
        (251, TransactionConflictError),
        (286, NotFoundError),
    ],
)
async def test_a_code_of_the_server_is_one_of_our_errors(
    mongo: MongodbConnectionManager, code: int, kind: type[InfrastructureError]
):
    await fail(mongo, "find", errorCode=code)
    with pytest.raises(kind, match=r"db\.default") as told:
        await mongo.find_one("books", {})
    assert type(told.value) is kind
    assert isinstance(told.value.__cause__, PyMongoError)


@pytest.mark.parametrize("code", [91, 189, 10107, 11600, 13435])
async def test_a_server_that_is_no_primary_is_unavailable(
    mongo: MongodbConnectionManager, code: int
):
    said = {"code": code, "codeName": "NotWritablePrimary"}
    found = mongo.translated(NotPrimaryError("no", said))
    assert type(found) is UnavailableError
    assert str(code) in str(found)


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ([WaitQueueTimeoutError("in use")], OverloadedError),
        ([_LOST, WaitQueueTimeoutError("in use")], OutcomeUnknownError),
        ([_LOST, NotPrimaryError("no", {"code": 10107})], OutcomeUnknownError),
    ],
)
async def test_of_a_write_that_was_tried_again_the_first_try_counts_too(
    mongodb: MongodbServer, ends: list[PyMongoError], kind: type[InfrastructureError]
):
    left = iter(ends)

    async def attempt(*_given: object) -> None:
        raise next(left)

    async with made(mongodb) as mongo:
        with pytest.raises(kind) as told:
            async with mongo.writing():
                await mongo.client._retryable_write(len(ends) > 1, attempt, None, "update")
    assert type(told.value) is kind


@pytest.mark.parametrize("code", [6, 46])
async def test_a_bulk_of_which_a_later_part_is_refused_for_now_may_be_applied_in_part(
    mongo: MongodbConnectionManager, code: int
):
    one = {"_id": 1}
    await fail(mongo, "update", errorCode=code, errorLabels=["NoWritesPerformed"])
    with pytest.raises(OutcomeUnknownError, match="a part of the bulk was refused") as told:
        await mongo.bulk_write("books", [Insert(one), Update(one, {"$set": {"n": 1}})])
    assert isinstance(told.value.__cause__, OperationFailure)
    assert await mongo.find_one("books", one) == one


async def test_a_bulk_that_is_one_command_and_refused_for_now_is_not_applied(
    mongo: MongodbConnectionManager,
):
    await fail(mongo, "insert", errorCode=46)
    with pytest.raises(OverloadedError):
        await mongo.bulk_write("books", [Insert({}), Insert({})])
    assert await mongo.count("books", {}) == 0


async def test_closing_says_goodbye_to_nobody_where_no_server_is_left(mongodb: MongodbServer):
    async def attempt(*_given: object) -> None:
        raise NotPrimaryError("no", {"code": 10107})

    mongo = made(mongodb)
    with pytest.raises(UnavailableError):
        async with mongo.writing():
            await mongo.client._retryable_write(False, attempt, None, "update")
    async with asyncio.timeout(1.5):  # and it may take two and a half seconds
        await mongo.disconnect()


async def test_a_hint_is_given_where_it_is_one(mongo: MongodbConnectionManager):
    with pytest.raises(UnsupportedError) as told:
        await mongo.execute({"noSuchCommand": 1})
    assert "replica set" not in str(told.value)


async def test_a_write_is_repeated_once_by_the_driver_and_applied_once(
    mongo: MongodbConnectionManager,
):
    await mongo.insert("numbers", {"_id": 1, "n": 0})
    await fail(mongo, "update", closeConnection=True)
    assert await mongo.update("numbers", {"_id": 1}, {"$inc": {"n": 1}}) == 1
    assert await mongo.find_one("numbers", {}) == {"_id": 1, "n": 1}


async def test_a_write_whose_answer_is_lost_for_good_is_an_unknown_outcome(
    mongodb: MongodbServer, mongo: MongodbConnectionManager
):
    async with made(mongodb, timeout_seconds=0.25) as cut:
        await fail(mongo, "insert", times=99, closeConnection=True)
        with pytest.raises(OutcomeUnknownError, match="Read before"):
            await cut.insert("numbers", {})
    await fail(mongo, "insert", times=0)


@on_both_drivers
async def test_the_deadline_around_a_call_is_told_to_the_server(mongo: MongodbConnectionManager):
    await fail(mongo, "find", blockConnection=True, blockTimeMS=200)
    async with asyncio.timeout(5):
        with pytest.raises(DeadlineExceededError):
            async with deadline(0.1):
                await mongo.find("books", {}, limit=1)
    assert await mongo.find("books", {}, limit=1) == []


async def test_a_cancelled_call_is_cancelled_wherever_it_is(mongo: MongodbConnectionManager):
    for steps in range(40):
        call = asyncio.create_task(mongo.insert("books", {}))
        for _ in range(steps):
            await asyncio.sleep(0)
        if call.cancel():
            await asyncio.wait((call,))
            assert call.cancelled(), f"after {steps} steps"
    assert mongo.drain.in_flight == mongo.pool_stats().in_use == 0


async def test_a_scan_over_other_settings_says_that_it_was_closed(mongodb: MongodbServer):
    async with made(mongodb) as mongo:
        await mongo.bulk_write("books", [Insert({}) for _ in range(3)])
        scan = mongo.scan("books", {}, batch_size=1)
        await anext(scan)
        await mongo.rotate(max_connections=3)
        with pytest.raises(UnavailableError, match="closed while in use"):
            await anext(scan)


async def test_a_pool_in_use_for_too_long_is_an_overload(mongodb: MongodbServer):
    async with made(mongodb, max_connections=1) as mongo:
        await fail(mongo, "find", blockConnection=True, blockTimeMS=200)
        blocking = asyncio.create_task(mongo.find("books", {}, limit=1))
        while not mongo.pool_stats().in_use:
            await asyncio.wait((blocking,), timeout=0.001)
        with pytest.raises(OverloadedError, match="max_connections"):
            async with deadline(0.1):
                await mongo.count("books", {})
        assert mongo.state == "degraded"
        await blocking


@pytest.mark.parametrize("driver", DRIVERS)
async def test_no_server_is_said_with_its_address_and_long_before_the_deadline(driver: str):
    port = free_port()
    settings = {"host": "127.0.0.1", "port": port, "name": "x", "driver": driver}
    manager = MongodbConnectionManager(
        MongodbConnectionManager.Settings.model_validate(settings), name="db.default"
    )
    async with asyncio.timeout(2):  # and the deadline is five seconds
        with pytest.raises(UnavailableError, match=f"db.default: .*127.0.0.1:{port}"):
            await manager.find_one("books", {})
    await manager.disconnect()


async def test_a_wrong_password_is_refused_once_and_not_shown(mongodb: MongodbServer):
    manager = made(mongodb, user="switchgear", password="hunter2")
    with pytest.raises(AuthenticationError) as told:
        await manager.connect()
    assert "hunter2" not in f"{told.value!r} {told.value} {told.value.__cause__!r}"
    assert classify(told.value) is Category.PERMANENT
    await manager.disconnect()


async def test_a_ca_file_that_is_none_is_refused(mongodb: MongodbServer):
    manager = made(mongodb, tls=True, tls_ca_file="/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match="tls_ca_file"):
        await manager.connect()
