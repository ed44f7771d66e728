"""A searchable index of passages: embedded once, kept in the vector store, asked by likeness."""

from collections.abc import Callable

from containers.cli.corpus import Corpus, Passage
from infrastructure.connections.vector.base import Match, Record, VectorStore
from infrastructure.embeddings.base import Embedder

BATCH_PASSAGES = 16


class Library:
    """The passages of one corpus, in a collection of their own.

    The collection is named after the corpus and the embedder, so that vectors of two models never
    meet. An interrupted indexing goes on where it stopped.
    """

    def __init__(self, corpus: Corpus, store: VectorStore, embedder: Embedder) -> None:
        self._corpus = corpus
        self._store = store
        self._embedder = embedder
        self.collection = f"{corpus.name}_{embedder.settings.kind}_{embedder.dimensions}"

    async def index(self, progress: Callable[[int, int], None]) -> int:
        """Embed and store what is not there yet, forget what is not in the corpus any more.

        Args:
            progress: Told after each batch how many of how many are done.

        Returns:
            How many passages were embedded.
        """
        await self._store.ensure_collection(self.collection, self._embedder.dimensions)
        present = {record.id async for record in self._store.scroll(self.collection)}
        missing = [passage for passage in self._corpus.passages if passage.id not in present]
        progress(0, len(missing))
        for start in range(0, len(missing), BATCH_PASSAGES):
            batch = missing[start : start + BATCH_PASSAGES]
            await self._add(batch)
            progress(start + len(batch), len(missing))
        await self._forget(present - {passage.id for passage in self._corpus.passages})
        return len(missing)

    async def search(self, question: str, limit: int = 2) -> list[Match]:
        """The passages most like the question, the best first."""
        vector = await self._embedder.embed_query(question)
        return await self._store.search(self.collection, vector, limit=limit)

    async def _add(self, passages: list[Passage]) -> None:
        vectors = await self._embedder.embed_passages([passage.text for passage in passages])
        records = [
            Record(passage.id, vector, passage.text, {"source": passage.source})
            for passage, vector in zip(passages, vectors, strict=True)
        ]
        await self._store.upsert(self.collection, records)

    async def _forget(self, ids: set[str]) -> None:
        if ids:
            await self._store.delete(self.collection, sorted(ids))
