"""What every vector store promises, asked of one that stays open from test to test."""

from typing import Any

import pytest
import pytest_asyncio

from infrastructure.connections.vector.base import VectorStore
from tests.contracts.vector_contract import VectorContract


def _of_class(fixture: Any) -> Any:
    """A fixture that does the same in the event loop of its class; the one given stays as it is."""
    fill = fixture._get_wrapped_function()

    async def filled(self: Any, store: VectorStore) -> VectorStore:
        found: VectorStore = await fill(self, store)
        return found

    return pytest_asyncio.fixture(loop_scope="class")(filled)


# what is no coroutine is marked with it, too
@pytest.mark.asyncio(loop_scope="class")
@pytest.mark.filterwarnings("ignore:The test .* is marked with:pytest.PytestWarning")
class VectorOneStoreContract(VectorContract):
    """Inherit, and supply the fixtures `manager` and, for the class, `opened`: an open store."""

    @pytest_asyncio.fixture(loop_scope="class")
    async def store(self, opened: VectorStore):
        """Empty, whatever the test before has left in it."""
        opened.embedder = None
        for name in await opened.list_collections():
            await opened.drop_collection(name)
        return opened

    colors = _of_class(VectorContract.colors)
    shared = _of_class(VectorContract.shared)
    words = _of_class(VectorContract.words)
