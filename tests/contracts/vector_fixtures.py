"""What the suites of the vector stores stand on: a store, and a collection of four colors."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from infrastructure.connections.vector.base import Record, VectorStore

NOTES = "notes"
COLORS = [
    Record("1", [1.0, 0.0, 0.0], "red", {"warm": True, "year": 2019, "tags": ["a", "b"]}),
    Record("2", [0.9, 0.1, 0.0], "orange", {"warm": True, "year": 2024, "tags": []}),
    Record("é/日本 3", [0.0, 1.0, 0.0], "green", {"warm": False, "year": 2024.5}),
    Record("4", [0.0, 0.0, 1.0], "blue", {"warm": None, "day": "2026-11-21"}),
]


class Embedding:
    """An embedder with one answer, whatever it is asked; `meanwhile` happens before it."""

    def __init__(
        self,
        answer: list[list[float]] | Exception,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._answer = answer
        self._meanwhile = meanwhile

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        if self._meanwhile is not None:
            await self._meanwhile()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def embed_query(self, text: str) -> list[float]:
        return (await self.embed_passages([text]))[0]


class VectorFixtures:
    """Inherit, and supply the fixture `manager`: an empty store that was not opened yet."""

    @pytest.fixture
    async def store(self, manager: VectorStore):
        async with manager:
            yield manager

    @pytest.fixture
    async def colors(self, store: VectorStore):
        await store.ensure_collection(NOTES, 3)
        await store.upsert(NOTES, COLORS)
        return store
