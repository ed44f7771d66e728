"""What every embedder promises."""

import asyncio
import math
from operator import mul

import pytest

from infrastructure.embeddings.base import Embedder, Vector
from infrastructure.errors import RejectedError

CATS = "The cat sleeps on the warm sofa all afternoon."
PRICES = "Delivery to Portugal costs five euros and takes three days."
BACKUPS = "Backups of the database are written every night at two."
PASSAGES = [CATS, PRICES, BACKUPS]


def likeness(one: Vector, other: Vector) -> float:
    return math.fsum(map(mul, one, other))


class EmbedderContract:
    """Inherit, and supply the fixture `embedder`: one that was not opened yet."""

    @pytest.fixture
    async def opened(self, embedder: Embedder):
        async with embedder:
            yield embedder

    async def test_there_is_a_vector_for_every_text(self, opened: Embedder):
        vectors = await opened.embed_passages(PASSAGES * 5)
        assert len(vectors) == 15
        assert {len(vector) for vector in vectors} == {opened.dimensions}

    async def test_vectors_come_in_the_order_of_the_texts(self, opened: Embedder):
        alone = [(await opened.embed_passages([text]))[0] for text in PASSAGES]
        assert await opened.embed_passages(PASSAGES) == alone

    async def test_vectors_are_lists_of_floats_of_unit_length(self, opened: Embedder):
        for text in (*PASSAGES, "", " ", "?!", "日本", "a\0b", "x" * 300):
            for vector in (await opened.embed_query(text), *await opened.embed_passages([text])):
                assert type(vector) is list
                assert {type(value) for value in vector} == {float}
                assert math.sqrt(likeness(vector, vector)) == pytest.approx(1.0, abs=1e-5)

    async def test_the_same_text_gives_the_same_vector(self, opened: Embedder):
        assert await opened.embed_passages([CATS]) == await opened.embed_passages([CATS])
        assert await opened.embed_query(CATS) == await opened.embed_query(CATS)

    async def test_what_follows_a_nul_counts(self, opened: Embedder):
        one, other = await opened.embed_passages([f"{CATS}\0{PRICES}", CATS])
        assert one != other

    async def test_no_texts_give_no_vectors(self, opened: Embedder):
        assert await opened.embed_passages([]) == []

    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            ("where does the cat sleep", CATS),
            ("what costs delivery to Portugal", PRICES),
            ("when are backups of the database written", BACKUPS),
        ],
    )
    async def test_a_question_is_nearest_to_its_passage(
        self, opened: Embedder, question: str, answer: str
    ):
        asked = await opened.embed_query(question)
        vectors = await opened.embed_passages(PASSAGES)
        best = max(range(3), key=lambda i: likeness(asked, vectors[i]))
        assert PASSAGES[best] == answer

    async def test_one_text_alone_is_no_list_of_texts(self, opened: Embedder):
        with pytest.raises(RejectedError, match="found one text"):
            await opened.embed_passages(CATS)

    @pytest.mark.parametrize("wrong", [None, 5, b"bytes", "\ud800"])
    async def test_what_is_no_text_is_refused_by_its_position(self, opened: Embedder, wrong):
        with pytest.raises(RejectedError, match="text 1 is text"):
            await opened.embed_passages([CATS, wrong])

    async def test_many_tasks_embed_at_once(self, opened: Embedder):
        expected = await opened.embed_passages(PASSAGES)
        found = await asyncio.gather(*(opened.embed_passages(PASSAGES) for _ in range(8)))
        assert found == [expected] * 8

    async def test_a_cancelled_call_leaves_it_usable(self, opened: Embedder):
        call = asyncio.create_task(opened.embed_passages(PASSAGES * 20))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait((call,))
        assert call.cancelled()
        assert len(await opened.embed_query(CATS)) == opened.dimensions

    async def test_the_loop_turns_meanwhile(self, opened: Embedder):
        call = asyncio.create_task(opened.embed_passages(PASSAGES * 4))
        turns = 0
        while not call.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10

    async def test_it_opens_by_itself_and_again(self, embedder: Embedder):
        vector = await embedder.embed_query(CATS)
        await embedder.disconnect()
        assert not embedder.is_healthy()
        async with embedder:
            assert await embedder.embed_query(CATS) == vector

    async def test_it_says_how_it_is(self, embedder: Embedder):
        async with embedder:
            health = await embedder.health_check()
        assert health.is_up
        assert str(embedder.dimensions) in health.detail

    def test_it_works_in_one_event_loop_after_another(self, embedder: Embedder):
        first, second = (asyncio.run(embedder.embed_query(CATS)) for _ in range(2))
        assert first == second
        asyncio.run(embedder.disconnect())

    async def test_no_task_is_left_behind(self, opened: Embedder):
        before = asyncio.all_tasks()
        await opened.embed_passages(PASSAGES)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
