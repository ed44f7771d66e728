import asyncio
import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.embeddings.base import EmbedderRegistry
from infrastructure.embeddings.hashing import HashingEmbedder, HashingSettings
from infrastructure.errors import DeadlineExceededError
from tests.contracts.embedder_contract import CATS, EmbedderContract, likeness


class TestHashing(EmbedderContract):
    @pytest.fixture
    def embedder(self):
        return HashingEmbedder(HashingSettings(), name="embeddings.default")


def embed(text: str, **settings) -> list[float]:
    return asyncio.run(HashingEmbedder(HashingSettings(**settings)).embed_query(text))


def test_the_registry_serves_it():
    assert EmbedderRegistry.resolve("hashing") is HashingEmbedder


def test_a_vector_has_the_dimensions_of_the_settings():
    assert len(embed(CATS, dimensions=32)) == 32


def test_every_version_of_us_gives_the_same_vector():
    rounded = json.dumps([round(value, 9) for value in embed("Olá, the Cat sleeps", dimensions=16)])
    assert hashlib.sha256(rounded.encode()).hexdigest()[:16] == "1ca38bdb36fabbb6"


def test_every_process_gives_the_same_vector():
    script = (
        "import asyncio, json, sys\n"
        "from infrastructure.embeddings.hashing import HashingEmbedder, HashingSettings\n"
        "print(json.dumps(asyncio.run(HashingEmbedder(HashingSettings()).embed_query(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", script, CATS]
    other = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == embed(CATS)


def test_similar_texts_are_closer_than_unrelated_ones():
    text = embed("connect to the database server")
    assert likeness(text, embed("the connection to a database")) > 0.4
    assert likeness(text, embed("a recipe for apple pie")) < 0.2


def test_case_and_width_do_not_count():
    assert embed("CAT ﬁsh") == embed("cat fish")


@given(st.text())
def test_every_text_has_a_vector_of_unit_length(text):
    vector = embed(text.encode("utf-8", "replace").decode(), dimensions=8)
    assert likeness(vector, vector) == pytest.approx(1.0)


async def test_the_deadline_holds():
    embedder = HashingEmbedder(HashingSettings(timeout_seconds=0.001), name="embeddings.default")
    with pytest.raises(DeadlineExceededError, match=r"embeddings\.default"):
        await embedder.embed_passages([CATS] * 10_000)
