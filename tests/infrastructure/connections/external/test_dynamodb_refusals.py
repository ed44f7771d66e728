"""What DynamoDB may answer that moto does not: scripted over HTTP."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from infrastructure.connections.external.dynamodb import (
    DynamoConnectionManager,
    DynamoSettings,
    Put,
    Table,
    TransactionFailedError,
)
from infrastructure.connections.external.dynamodb.tables import Key
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
TYPE = "application/x-amz-json-1.0"
ACTIVE = {
    "Table": {
        "TableStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
}
Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


class Script:
    """Answers each operation as it was told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {"ListTables": lambda _: (200, {"TableNames": []})}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: Request) -> Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        body = json.loads(request.data)
        self.asked.append((operation, body))
        status, answer = self.answers[operation](body)
        return Response(json.dumps(answer), status, content_type=TYPE)

    def refuse(self, operation: str, code: str, status: int = 400, **more: Any) -> None:
        kind = f"com.amazonaws.dynamodb.v20120810#{code}"
        self.answers[operation] = lambda _: (status, {"__type": kind, "message": "No.", **more})


@pytest.fixture
def script(httpserver: HTTPServer) -> Script:
    script = Script()
    httpserver.clear()
    httpserver.expect_request("/").respond_with_handler(script)
    return script


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connected(make_httpserver: HTTPServer) -> AsyncIterator[DynamoConnectionManager]:
    make_httpserver.expect_request("/").respond_with_handler(Script())
    settings = DynamoSettings.model_validate(
        {
            "endpoint_url": make_httpserver.url_for("").rstrip("/"),
            "access_key_id": "AKIDEXAMPLE",
            "secret_access_key": "made-up",
            "batch_attempts": 3,
            "table_timeout_seconds": 0.2,
        }
    )
    async with DynamoConnectionManager(settings, name="items") as connected:
        yield connected


@pytest.fixture
def db(script: Script, connected: DynamoConnectionManager) -> DynamoConnectionManager:
    """It knows nothing of the test before, for each answer is scripted anew."""
    return connected


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDeniedException", 400, AuthenticationError),
        ("ExpiredTokenException", 400, AuthenticationError),
        ("InternalServerError", 500, UnavailableError),
        ("InvalidSignatureException", 400, AuthenticationError),
        ("ItemCollectionSizeLimitExceededException", 400, RejectedError),
        ("ProvisionedThroughputExceededException", 400, OverloadedError),
        ("RequestLimitExceeded", 400, OverloadedError),
        ("ResourceInUseException", 400, ConflictError),
        ("ResourceNotFoundException", 400, NotFoundError),
        ("ServiceUnavailable", 503, OverloadedError),
        ("ThrottlingException", 400, OverloadedError),
        ("TransactionConflictException", 400, OverloadedError),
        ("UnknownOperationException", 400, UnsupportedError),
        ("UnrecognizedClientException", 400, AuthenticationError),
        ("ValidationException", 400, RejectedError),
    ],
)
async def test_each_refusal_has_its_error(
    db: DynamoConnectionManager,
    script: Script,
    code: str,
    status: int,
    kind: type[InfrastructureError],
):
    script.refuse("GetItem", code, status)
    with pytest.raises(kind, match=rf"items: GetItem of 'book'.*\({code}\)"):
        await db.get("book", {"id": "1"})


async def test_a_server_that_fails_leaves_what_counts_unknown(
    db: DynamoConnectionManager, script: Script
):
    script.refuse("UpdateItem", "InternalServerError", 500)
    with pytest.raises(UnavailableError):
        await db.update("book", {"id": "1"}, {"title": "x"})
    with pytest.raises(OutcomeUnknownError):
        await db.update("book", {"id": "1"}, add={"sold": 1})


async def test_a_transaction_others_were_in_the_way_of_may_be_done_again(
    db: DynamoConnectionManager, script: Script
):
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "busy"}]
    script.refuse("TransactWriteItems", "TransactionCanceledException", CancellationReasons=reasons)
    writes = [Put("book", {"id": "1"}), Put("book", {"id": "2"})]
    with pytest.raises(OverloadedError, match="1: TransactionConflict"):
        await db.transact(writes)
    reasons[0]["Code"] = "ConditionalCheckFailed"
    with pytest.raises(TransactionFailedError) as failed:
        await db.transact(writes)
    assert [each.code for each in failed.value.reasons] == [
        "ConditionalCheckFailed",
        "TransactionConflict",
    ]


async def test_writes_left_undone_are_sent_again(db: DynamoConnectionManager, script: Script):
    script.answers["BatchWriteItem"] = _all_but_the_first
    assert (await db.batch_write("book", [{"id": "1"}, {"id": "2"}, {"id": "3"}])).done == 3
    sent = [len(body["RequestItems"]["book"]) for name, body in script.asked if "Write" in name]
    assert sent == [3, 2, 1]


async def test_writes_that_stay_undone_are_reported(db: DynamoConnectionManager, script: Script):
    script.answers["BatchWriteItem"] = _none
    written = await db.batch_write("book", [{"id": "1"}], [{"id": "2"}])
    assert (written.done, written.left_puts, written.left_deletes) == (
        0,
        ({"id": "1"},),
        ({"id": "2"},),
    )
    assert [name for name, _ in script.asked].count("BatchWriteItem") == 3


async def test_reads_left_undone_are_asked_again(db: DynamoConnectionManager, script: Script):
    def one_each(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        first, *rest = body["RequestItems"]["book"]["Keys"]
        answer: dict[str, Any] = {"Responses": {"book": [{**first, "n": {"N": "1"}}]}}
        return 200, {**answer, "UnprocessedKeys": {"book": {"Keys": rest}} if rest else {}}

    script.answers["BatchGetItem"] = one_each
    found = await db.batch_get("book", [{"id": "1"}, {"id": "2"}])
    assert found == [{"id": "1", "n": 1}, {"id": "2", "n": 1}]
    script.answers["BatchGetItem"] = lambda body: (200, {"UnprocessedKeys": body["RequestItems"]})
    with pytest.raises(OverloadedError, match="2 keys of 'book' were not read"):
        await db.batch_get("book", [{"id": "1"}, {"id": "2"}])


async def test_a_table_that_does_not_come_is_not_waited_for_without_end(
    db: DynamoConnectionManager, script: Script
):
    script.answers["DescribeTable"] = lambda _: (200, {"Table": {"TableStatus": "CREATING"}})
    late = (OverloadedError, UnavailableError)  # the second, where time is up amid a request
    with pytest.raises(late, match=r"'book' is creating|no answer within 0\.2 s"):
        await db.ensure_table(Table("book", Key("id")))


async def test_a_table_on_its_way_out_is_made_anew_and_waited_for_until_it_is_seen(
    db: DynamoConnectionManager, script: Script
):
    await db.rotate(table_timeout_seconds=5)
    gone = {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}
    going = {"Table": {"TableStatus": "DELETING"}}
    seen: Iterator[tuple[int, dict[str, Any]]] = iter(
        [(200, going), (400, gone), (400, gone), (200, ACTIVE)]
    )
    script.answers["DescribeTable"] = lambda _: next(seen)
    script.answers["CreateTable"] = lambda _: (200, {})
    assert await db.ensure_table(Table("book", Key("id")))
    assert [name for name, _ in script.asked].count("CreateTable") == 1
    await db.rotate(table_timeout_seconds=0.2)


async def test_a_time_to_live_that_another_just_set_is_set(
    db: DynamoConnectionManager, script: Script
):
    script.answers["DescribeTable"] = lambda _: (200, ACTIVE)
    described = iter(["DISABLED", "ENABLING", "DISABLED", "DISABLED"])
    script.answers["DescribeTimeToLive"] = lambda _: (
        200,
        {"TimeToLiveDescription": {"TimeToLiveStatus": next(described), "AttributeName": "end"}},
    )
    script.refuse("UpdateTimeToLive", "ValidationException")
    table = Table("book", Key("id"), ttl_attribute="end")
    assert not await db.ensure_table(table)
    with pytest.raises(RejectedError, match="ValidationException"):
        await db.ensure_table(table)


async def test_empty_pages_are_gone_over_and_a_page_that_leads_nowhere_ends(
    db: DynamoConnectionManager, script: Script
):
    def three(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        number = int(body.get("ExclusiveStartKey", {"id": {"N": "0"}})["id"]["N"]) + 1
        mark = {"LastEvaluatedKey": {"id": {"N": str(number)}}}
        return 200, mark if number < 3 else {"Items": [{"id": {"N": "3"}}]}

    script.answers["Query"] = three
    assert [item async for item in db.query("book", "id = :id", {":id": 1})] == [{"id": 3}]
    script.answers["Query"] = lambda _: (200, {"LastEvaluatedKey": {"id": {"N": "1"}}})
    with pytest.raises(DataError, match="how to ask for the next"):
        assert [item async for item in db.query("book", "id = :id", {":id": 1})]


async def test_a_type_nobody_knows_is_an_error(db: DynamoConnectionManager, script: Script):
    script.answers["GetItem"] = lambda _: (200, {"Item": {"id": {"S": "1"}, "x": {"ZZ": "?"}}})
    with pytest.raises(DataError, match="a type nobody knows"):
        await db.get("book", {"id": "1"})


async def test_an_answer_that_is_none_is_told_as_such(
    db: DynamoConnectionManager, httpserver: HTTPServer
):
    httpserver.clear()
    httpserver.expect_request("/").respond_with_data("<html>log in</html>")
    with pytest.raises(DataError, match="cannot be read"):
        await db.get("book", {"id": "1"})


async def test_what_was_signed_is_not_shown(db: DynamoConnectionManager, script: Script):
    script.refuse("GetItem", "InvalidSignatureException", Extra="HUNTER2")
    with pytest.raises(AuthenticationError) as told:
        await db.get("book", {"id": "1"})
    assert told.value.__cause__ is None


def _none(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"UnprocessedItems": body["RequestItems"]}


def _all_but_the_first(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    left = body["RequestItems"]["book"][1:]
    return 200, {"UnprocessedItems": {"book": left} if left else {}}
