"""A Qdrant server behind a network that misbehaves, over HTTP and over gRPC."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from qdrant_client.async_qdrant_remote import AsyncQdrantRemote

from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from infrastructure.errors import UnavailableError
from tests.contracts.connection_faults import DEADLINE_SECONDS, ConnectionFaults
from tests.faults.proxy import FaultProxy
from tests.faults.tls import Certificate, TlsDoor
from tests.infrastructure.connections.vector.qdrant_stand_in import Engine, StandIn, kept_alive
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

    async def test_a_call_that_closing_cuts_is_unavailable_and_not_cancelled(
        self, manager: QdrantVectorStore, proxy: FaultProxy
    ):
        await manager.rotate(drain_timeout_seconds=0.05)
        await self.ask(manager)
        proxy.black_hole()
        call = asyncio.create_task(self.ask(manager))
        await asyncio.sleep(0)
        await manager.disconnect()
        ends = await asyncio.gather(call, return_exceptions=True)
        assert [type(end) for end in ends] == [UnavailableError]


class TestQdrantOverHttp(QdrantFaults):
    @pytest.fixture(scope="class")
    @classmethod
    def server_port(cls) -> Iterator[int]:
        stand_in = StandIn(Engine(KEY))
        with served(stand_in):
            port = urlsplit(stand_in.url).port
            assert port
            yield port

    def address(self, port: int) -> Mapping[str, Any]:
        return {"url": kept_alive(f"http://127.0.0.1:{port}")}


class TestQdrantOverGrpc(QdrantFaults):
    @pytest.fixture(scope="class")
    @classmethod
    def server_port(cls) -> Iterator[int]:
        with served_by_grpc(Engine(KEY)) as port:
            yield port

    def address(self, port: int) -> Mapping[str, Any]:
        return {"url": "http://127.0.0.1:1", "prefer_grpc": True, "grpc_port": port}

    async def test_an_outage_under_load_piles_up_no_channels(
        self, manager: QdrantVectorStore, proxy: FaultProxy
    ):
        async def ask_in_vain(times: int) -> None:
            for _ in range(times):
                with pytest.raises(UnavailableError):
                    await self.ask(manager)

        await self.ask(manager)
        await proxy.refuse()
        others = [asyncio.create_task(ask_in_vain(20)) for _ in range(4)]
        await ask_in_vain(10)
        assert not all(other.done() for other in others)
        assert len(open_clients()) <= 6  # the one that counts, and one for each that asks
        await asyncio.gather(*others)
        assert len(open_clients()) == 1


def open_clients() -> list[AsyncQdrantRemote]:
    found = (one for one in gc.get_objects() if isinstance(one, AsyncQdrantRemote))
    return [one for one in found if not getattr(one, "_closed", True)]  # or is being made


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
async def test_a_certificate_that_nobody_vouches_for_lets_nothing_out(tmp_path: Path, scheme: str):
    stand_in = StandIn(Engine(KEY))
    with served(stand_in):
        target = urlsplit(stand_in.url).port
        assert target
        async with TlsDoor(target, Certificate(tmp_path)) as door:
            given = {"url": f"{scheme}://127.0.0.1:{door.port}", "api_key": KEY}
            store = QdrantVectorStore(
                QdrantSettings.model_validate(given | {"connect_attempts": 1})
            )
            with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                await store.connect()
    assert stand_in.asked == []
