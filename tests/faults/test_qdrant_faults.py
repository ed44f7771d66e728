"""A Qdrant server behind a network that misbehaves, over HTTP and over gRPC."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from tests.contracts.connection_faults import DEADLINE_SECONDS, ConnectionFaults
from tests.faults.proxy import FaultProxy
from tests.infrastructure.connections.vector.qdrant_stand_in import Engine, StandIn
from tests.infrastructure.connections.vector.qdrant_stand_in_grpc import served_by_grpc
from tests.infrastructure.connections.vector.scripted_server import served

KEY = "s3cret-k3y"
BOUNDS = {"timeout_seconds": DEADLINE_SECONDS, "connect_timeout_seconds": DEADLINE_SECONDS}


class QdrantFaults(ConnectionFaults):
    @pytest.fixture
    async def proxy(self, server_port: int) -> AsyncIterator[FaultProxy]:
        async with FaultProxy("127.0.0.1", server_port) as proxy:
            yield proxy

    @pytest.fixture
    async def manager(self, proxy: FaultProxy) -> AsyncIterator[QdrantVectorStore]:
        given = {"api_key": KEY, **self.address(proxy.port), **BOUNDS}
        manager = QdrantVectorStore(QdrantSettings.model_validate(given), name="vector.default")
        yield manager
        await proxy.passes()
        await manager.disconnect()

    def address(self, port: int) -> Mapping[str, Any]:
        raise NotImplementedError

    async def ask(self, manager: QdrantVectorStore) -> Any:
        return await manager.list_collections()

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"api_key": SecretStr("wr0ng-k3y")}


class TestQdrantOverHttp(QdrantFaults):
    @pytest.fixture
    def server_port(self) -> Iterator[int]:
        stand_in = StandIn(Engine(KEY))
        with served(stand_in):
            port = urlsplit(stand_in.url).port
            assert port
            yield port

    def address(self, port: int) -> Mapping[str, Any]:
        return {"url": f"http://127.0.0.1:{port}"}


class TestQdrantOverGrpc(QdrantFaults):
    @pytest.fixture
    def server_port(self) -> Iterator[int]:
        with served_by_grpc(Engine(KEY)) as port:
            yield port

    def address(self, port: int) -> Mapping[str, Any]:
        return {"url": "http://127.0.0.1:1", "prefer_grpc": True, "grpc_port": port}
