"""A store and the embedder that its block names."""

from typing import Any

import pytest

from containers import Container
from containers.vector import hand_embedders
from infrastructure.connections.vector.base import Record
from infrastructure.errors import ConfigurationError

NAMED = {
    "vector.default.embedder": "embeddings.instances.small",
    "embeddings.instances.small": {"kind": "hashing", "dimensions": 16},
}


def container_with(**overrides: object) -> Any:
    container = Container(profile="test", overrides=overrides)
    hand_embedders(container, container.settings())
    return container


async def test_a_store_embeds_with_the_embedder_its_block_names():
    async with container_with(**NAMED) as container:
        store = container.vector.default()
        assert store.embedder is container.embeddings.instances.small()
        await store.ensure_collection("notes", 16)
        await store.upsert("notes", [Record("1", text="a door"), Record("2", text="a window")])
        (match,) = await store.search("notes", text="the door", limit=1)
        assert match.id == "1"


async def test_a_store_that_names_no_embedder_has_none():
    assert container_with().vector.default().embedder is None


async def test_a_stand_in_for_the_embedder_reaches_the_store():
    container = container_with(**NAMED)
    stand_in = container.embeddings.default()
    with container.override({"embeddings.instances.small": stand_in}):
        assert container.vector.default().embedder is stand_in


def test_an_embedder_that_is_not_configured_is_named_with_its_line():
    with pytest.raises(ConfigurationError, match=r"vector\.default\.embedder .*'embeddings.big'"):
        container_with(**{"vector.default.embedder": "embeddings.big"})
