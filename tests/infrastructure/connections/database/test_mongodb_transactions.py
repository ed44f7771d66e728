"""Transactions of MongoDB."""

import asyncio
from contextlib import suppress

import pytest
import pytest_asyncio
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import AutoReconnect, WaitQueueTimeoutError

from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.connections.database.mongodb.bulk import Insert
from infrastructure.connections.database.mongodb.transactions import Transaction
from infrastructure.errors import (
    ConflictError,
    OutcomeUnknownError,
    RejectedError,
    UnavailableError,
)
from infrastructure.servers.mongodb import MongodbServer
from tests.mongodb import fail, made, on_both_drivers

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def two_accounts(mongo: MongodbConnectionManager) -> None:
    await mongo.bulk_write("accounts", [Insert({"_id": key, "sum": 10}) for key in "ab"])


async def _move(transaction: Transaction, amount: int) -> None:
    await transaction.update("accounts", {"_id": "a"}, {"$inc": {"sum": -amount}})
    await transaction.update("accounts", {"_id": "b"}, {"$inc": {"sum": amount}})


async def _sums(mongo: MongodbConnectionManager) -> list[int]:
    return [one["sum"] for one in await mongo.find("accounts", {}, limit=9, sort={"_id": 1})]


@on_both_drivers
async def test_what_is_done_in_it_is_seen_by_others_at_its_end(mongo: MongodbConnectionManager):
    async with mongo.transaction() as transaction:
        await _move(transaction, 3)
        assert await _sums(mongo) == [10, 10]
        found = await transaction.find_one("accounts", {"_id": "a"})
        assert found
        assert found["sum"] == 7
    assert await _sums(mongo) == [7, 13]
    assert mongo.drain.in_flight == 0


async def test_an_error_gives_it_up(mongo: MongodbConnectionManager):
    with pytest.raises(ZeroDivisionError):
        async with mongo.transaction() as transaction:
            await _move(transaction, 3)
            _ = 1 // 0
    assert await _sums(mongo) == [10, 10]


@on_both_drivers
async def test_a_cancelled_one_is_given_up_and_its_connection_is_free(
    mongo: MongodbConnectionManager,
):
    moved = asyncio.Event()

    async def work() -> None:
        async with mongo.transaction() as transaction:
            await _move(transaction, 3)
            moved.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await moved.wait()
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert await _sums(mongo) == [10, 10]
    assert mongo.pool_stats().in_use == 0


async def test_an_error_of_a_call_ends_it_typed(mongo: MongodbConnectionManager):
    with pytest.raises(ConflictError):
        async with mongo.transaction() as transaction:
            await _move(transaction, 3)
            await transaction.insert("accounts", {"_id": "a"})
    assert await _sums(mongo) == [10, 10]


async def test_of_two_that_change_one_document_the_second_is_told_at_once(
    mongo: MongodbConnectionManager,
):
    with pytest.raises(TransactionConflictError, match="transact"):
        async with mongo.transaction() as first, mongo.transaction() as second:
            await _move(first, 1)
            await _move(second, 2)
    assert await _sums(mongo) == [10, 10]


async def test_work_that_meets_anothers_is_run_again_until_all_is_done(
    mongo: MongodbConnectionManager,
):
    async def move_half(transaction: Transaction) -> int:
        found = await transaction.find_one("accounts", {"_id": "a"})
        assert found
        await _move(transaction, 1)
        return int(found["sum"])

    seen = await asyncio.gather(*(mongo.transact(move_half) for _ in range(6)))
    assert sorted(seen) == [5, 6, 7, 8, 9, 10]
    assert await _sums(mongo) == [4, 16]


async def test_a_passing_failure_of_the_server_runs_it_again_as_a_whole(
    mongo: MongodbConnectionManager,
):
    runs = 0

    async def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        await _move(transaction, 1)

    labels = ["TransientTransactionError"]
    await fail(mongo, "update", times=2, errorCode=251, errorLabels=labels)
    await mongo.transact(work)
    assert runs == 3
    assert await _sums(mongo) == [9, 11]


async def test_it_is_not_run_again_for_ever(mongo: MongodbConnectionManager):
    await fail(mongo, "update", times=9, errorCode=112)
    with pytest.raises(TransactionConflictError):
        await mongo.transact(lambda transaction: _move(transaction, 1), max_attempts=2)
    await fail(mongo, "update", times=0)
    assert await _sums(mongo) == [10, 10]


async def test_a_commit_whose_end_is_not_known_is_sent_again(mongo: MongodbConnectionManager):
    labels = ["UnknownTransactionCommitResult"]
    await fail(mongo, "commitTransaction", times=1, errorCode=6, errorLabels=labels)
    async with mongo.transaction() as transaction:
        await _move(transaction, 1)
    assert await _sums(mongo) == [9, 11]


async def test_a_commit_whose_end_stays_unknown_is_told_as_that(mongo: MongodbConnectionManager):
    labels = ["UnknownTransactionCommitResult"]
    await fail(mongo, "commitTransaction", times=99, errorCode=6, errorLabels=labels)
    with pytest.raises(OutcomeUnknownError, match="commit"):
        async with mongo.transaction() as transaction:
            await _move(transaction, 1)
    await fail(mongo, "commitTransaction", times=0)


async def test_a_commit_that_was_sent_and_then_found_the_pool_in_use_is_not_known_either(
    mongo: MongodbConnectionManager, monkeypatch: pytest.MonkeyPatch
):
    ends = iter([AutoReconnect("lost"), WaitQueueTimeoutError("in use"), WaitQueueTimeoutError("")])

    async def finish(_session: object, _command: str) -> None:
        raise next(ends)

    monkeypatch.setattr(AsyncClientSession, "_finish_transaction_with_retry", finish)
    with pytest.raises(OutcomeUnknownError, match="commit"):
        async with mongo.transaction() as transaction:
            await transaction.find_one("accounts", {})


async def test_a_lost_answer_inside_is_no_unknown_outcome(mongo: MongodbConnectionManager):
    with pytest.raises(UnavailableError):
        async with mongo.transaction() as transaction:
            await fail(mongo, "update", closeConnection=True)
            await _move(transaction, 1)
    assert await _sums(mongo) == [10, 10]


async def test_a_bulk_in_it_is_applied_whole_or_not_at_all(mongo: MongodbConnectionManager):
    with pytest.raises(ConflictError):
        async with mongo.transaction() as transaction:
            writes = [Insert({"_id": "c", "sum": 0}), Insert({"_id": "a", "sum": 0})]
            await transaction.bulk_write("accounts", writes)
    assert await _sums(mongo) == [10, 10]


async def test_an_error_that_the_body_does_not_heed_ends_it_all_the_same(
    mongo: MongodbConnectionManager,
):
    with pytest.raises(UnavailableError):
        async with mongo.transaction() as transaction:
            await transaction.update("accounts", {"_id": "a"}, {"$inc": {"sum": -3}})
            await fail(mongo, "update", errorCode=50)
            with suppress(UnavailableError):
                await transaction.update("accounts", {"_id": "b"}, {"$inc": {"sum": 3}})
    assert await _sums(mongo) == [10, 10]


async def test_after_an_error_it_takes_no_more_calls(mongo: MongodbConnectionManager):
    with pytest.raises(RejectedError, match="driver refuses"):
        async with mongo.transaction() as transaction:
            with suppress(RejectedError):
                await transaction.insert("accounts", {"sum": 2**64})
            await _move(transaction, 3)
    assert await _sums(mongo) == [10, 10]


async def test_one_whose_client_is_closed_under_it_is_run_again(
    mongodb: MongodbServer, mongo: MongodbConnectionManager
):
    runs = 0

    async def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        await transaction.find_one("accounts", {})  # the server keeps locks a while when it is cut
        if runs == 1:
            await closing.rotate(max_connections=3)
        await transaction.insert("moves", {"run": runs})

    same = {"name": mongo.settings.database, "drain_timeout_seconds": 0.01}
    async with made(mongodb, **same) as closing:
        await closing.transact(work)
    assert runs == 2
    assert await mongo.count("moves", {}) == await mongo.count("moves", {"run": 2}) == 1
