"""Everything a vector store promises, over the network, and what a server may refuse."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import pytest_asyncio
from qdrant_client import models
from qdrant_client.local.qdrant_local import QdrantLocal

from infrastructure.connections.vector.base import Record, UpsertError
from infrastructure.connections.vector.filters import where
from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from infrastructure.errors import (
    AuthenticationError,
    Category,
    ConflictError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
    classify,
)
from tests.contracts.vector_one_store import VectorOneStoreContract
from tests.infrastructure.connections.vector.qdrant_stand_in import (
    Engine,
    RefusedError,
    StandIn,
    kept_alive,
)
from tests.infrastructure.connections.vector.qdrant_stand_in_grpc import served_by_grpc
from tests.infrastructure.connections.vector.scripted_server import Asked, served

KEY = "s3cret-k3y"
Way = Callable[[Engine], AbstractContextManager[QdrantVectorStore]]


@contextmanager
def over_http(engine: Engine) -> Iterator[QdrantVectorStore]:
    stand_in = StandIn(engine)
    with served(stand_in):
        settings = QdrantSettings.model_validate({"url": kept_alive(stand_in.url), "api_key": KEY})
        yield QdrantVectorStore(settings, name="vector.default")


@contextmanager
def over_grpc(engine: Engine) -> Iterator[QdrantVectorStore]:
    with served_by_grpc(engine) as port:
        where = {"url": "http://127.0.0.1:1", "prefer_grpc": True, "grpc_port": port}
        # a channel for each place in the pool: more of them would be tested no better
        settings = QdrantSettings.model_validate({**where, "api_key": KEY, "pool_size": 2})
        yield QdrantVectorStore(settings, name="vector.default")


Served = tuple[Engine, QdrantVectorStore]


@pytest.fixture(scope="module")
def http_server() -> Iterator[Served]:
    engine = Engine(KEY)
    with over_http(engine) as store:
        yield engine, store


@pytest.fixture(scope="module")
def grpc_server() -> Iterator[Served]:
    engine = Engine(KEY)
    with over_grpc(engine) as store:
        yield engine, store


def emptied(server: Served) -> QdrantVectorStore:
    """A new store of a server that has nothing; starting servers would cost more than the tests."""
    engine, store = server
    engine.client = QdrantLocal(":memory:")
    return QdrantVectorStore(store.settings, name=store.name)


class TestQdrantOverHttp(VectorOneStoreContract):
    @pytest.fixture
    def manager(self, http_server: Served):
        return emptied(http_server)

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @classmethod
    async def opened(cls, http_server: Served):
        async with http_server[1] as store:
            yield store


class TestQdrantOverGrpc(VectorOneStoreContract):
    @pytest.fixture
    def manager(self, grpc_server: Served):
        return emptied(grpc_server)

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @classmethod
    async def opened(cls, grpc_server: Served):
        async with grpc_server[1] as store:
            yield store


@pytest.mark.parametrize("way", [over_http, over_grpc])
async def test_records_that_the_server_refuses_are_named_and_the_others_stored(way: Way):
    def refusal(method: str, arguments: dict[str, Any]) -> RefusedError | None:
        texts = [point.payload["text"] for point in arguments.get("points", [])]
        return RefusedError(400, "too blue") if "blue" in texts else None

    with way(Engine(KEY, refusal)) as store:
        async with store:
            await store.ensure_collection("c", 1)
            texts = ["red", "blue", "green", "grey", "blue"]
            records = [Record(str(i), [1.0], text) for i, text in enumerate(texts)]
            with pytest.raises(UpsertError, match=r"2 of 5 records .*too blue") as told:
                await store.upsert("c", records)
            assert told.value.stored == ("0", "2", "3")
            assert list(told.value.failed) == ["1", "4"]
            assert await store.count("c") == 3


async def test_what_the_server_answers_over_grpc_is_asked_for_once():
    asked: list[str] = []

    def failing(method: str, _: dict[str, Any]) -> RefusedError:
        asked.append(method)
        return RefusedError(500, "it failed")

    engine = Engine(KEY)
    with over_grpc(engine) as store:
        async with store:
            engine.refusal = failing
            with pytest.raises(UnavailableError, match="it failed"):
                await store.list_collections()
    assert asked == ["get_collections"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_connections_of_a_loop_that_is_gone_are_left_and_not_closed_in_another():
    with over_http(Engine(KEY)) as store:
        assert asyncio.run(store.list_collections()) == []
        asyncio.run(store.disconnect())  # the vendor would warn of a server that cut them
        assert store.loop is None
    del store
    gc.collect()  # the first loop ended with connections open, and asyncio says so here


async def test_a_network_that_cuts_between_batches_leaves_an_outcome_for_each_record():
    class Cutting(StandIn):
        is_cut = False

        def _answer(self, asked: Asked) -> bytes:
            answer = super()._answer(asked)
            if self.is_cut and "fifth" in str(asked.body):
                raise ConnectionError  # it is stored, and nobody hears of it
            return answer

    stand_in = Cutting(Engine())
    texts = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
    records = [Record(text, [1.0], text) for text in texts]
    with served(stand_in):
        async with QdrantVectorStore(QdrantSettings(url=stand_in.url, batch_size=2)) as store:
            await store.ensure_collection("c", 1)
            stand_in.is_cut = True
            with pytest.raises(UpsertError, match="3 of 7 records") as told:
                await store.upsert("c", records)
            assert told.value.stored == ("first", "second", "third", "fourth")
            assert list(told.value.failed) == ["fifth", "sixth", "seventh"]
            assert classify(told.value) is Category.TRANSIENT
            stand_in.is_cut = False
            await store.upsert("c", records)
            assert await store.count("c") == 7


async def test_an_update_by_a_filter_goes_in_pages_and_misses_none(monkeypatch):
    monkeypatch.setattr("infrastructure.connections.vector.qdrant.store.IDS_A_PAGE", 2)
    sent: list[int] = []

    def noted(method: str, arguments: dict[str, Any]) -> None:
        changes = arguments.get("update_operations", [])
        sets = (one for one in changes if isinstance(one, models.SetPayloadOperation))
        sent.extend(len(one.set_payload.points or ()) for one in sets)

    with over_http(Engine(KEY, noted)) as store:
        async with store:
            await store.ensure_collection("c", 1)
            records = [Record(str(i), [1.0], fields={"old": True}) for i in range(5)]
            await store.upsert("c", records)
            assert await store.update("c", where("old") == True, {"old": False}) == 5  # noqa: E712 # builds a condition
            assert await store.count("c", where("old") == False) == 5  # noqa: E712 # builds a condition
    assert sent == [2, 2, 1]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RejectedError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (409, ConflictError),
        (429, OverloadedError),
        (500, UnavailableError),
        (501, UnsupportedError),
    ],
)
async def test_a_refusal_over_grpc_is_typed_and_hides_the_key(status, error):
    engine = Engine(KEY)
    with over_grpc(engine) as store:
        async with store:
            engine.refusal = lambda *_: RefusedError(status, f"because {KEY}")
            with pytest.raises(error) as caught:
                await store.list_collections()
            assert type(caught.value) is error
            assert str(caught.value).startswith("vector.default: Qdrant answered ")
            assert "because ***" in str(caught.value)


async def test_a_limit_over_grpc_says_when_to_return():
    engine = Engine(KEY)
    with over_grpc(engine) as store:
        async with store:
            engine.refusal = lambda *_: RefusedError(429, "slow down", retry_after_seconds=7)
            with pytest.raises(OverloadedError, match="slow down") as caught:
                await store.list_collections()
    assert caught.value.retry_after_seconds == 7
