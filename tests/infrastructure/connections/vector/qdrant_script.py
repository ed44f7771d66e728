"""A scripted server of Qdrant's, which has a collection `notes` of two dimensions."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from infrastructure.connections.vector.qdrant.points import NAMESPACE
from tests.infrastructure.connections.vector.scripted_server import (
    ScriptedServer,
    scripted_server,
)

KEY = "s3cret-k3y"
DONE = {"operation_id": 1, "status": "completed"}


@contextmanager
def qdrant_script() -> Iterator[ScriptedServer]:
    with pytest.MonkeyPatch.context() as patch, scripted_server() as script:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        script.answers["GET /collections/notes"] = shape()
        yield script


def store_of(server: ScriptedServer, **settings) -> QdrantVectorStore:
    settings = {"url": server.url, "api_key": KEY} | settings
    return QdrantVectorStore(QdrantSettings(**settings), name="vector.default")


def shape(size: int = 2, distance: str = "Cosine") -> dict[str, Any]:
    params = {"vectors": {"size": size, "distance": distance}}
    optimizer = {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 0,
        "flush_interval_sec": 5,
    }
    hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000}
    config = {"params": params, "hnsw_config": hnsw, "optimizer_config": optimizer}
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "config": config,
        "payload_schema": {},
    }


def scored(id: str, score: float) -> dict[str, Any]:
    payload = {"id": id, "text": f"text of {id}", "fields": {}}
    return {"id": str(uuid.uuid5(NAMESPACE, id)), "version": 1, "score": score, "payload": payload}
