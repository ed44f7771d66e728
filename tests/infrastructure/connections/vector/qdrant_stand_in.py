"""A Qdrant server's routes over HTTP, with the vendor's local engine behind them.

It takes what the vendor's client sends and answers in the server's form: its status for what is
wrong, its key, its order. What it does not do is index: it reads every point.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from qdrant_client import models
from qdrant_client.local.qdrant_local import QdrantLocal

from tests.infrastructure.connections.vector.scripted_server import Asked, ScriptedServer


class RefusedError(Exception):
    """What a server refuses, with its HTTP status."""

    def __init__(self, status: int, text: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


@dataclass
class Engine:
    """The vendor's local mode, with the server's refusals.

    Attributes:
        key: What callers must send, if anything.
        refusal: Gives, of a method and its arguments, what is wrong with them, if anything.
    """

    key: str = ""
    refusal: Callable[[str, dict[str, Any]], RefusedError | None] = lambda *_: None
    client: QdrantLocal = field(default_factory=lambda: QdrantLocal(":memory:"))

    def run(self, method: str, collection: str, key: str = "", **arguments: Any) -> Any:
        if self.key and key != self.key:
            raise RefusedError(401, "Must provide an API key or an Authorization bearer token")
        if (refused := self.refusal(method, arguments)) is not None:
            raise refused
        exists = self.client.collection_exists(collection) if collection else True
        if method == "create_collection" and exists:
            raise RefusedError(409, f"Wrong input: Collection `{collection}` already exists!")
        if not exists and method not in {"create_collection", "delete_collection"}:
            raise RefusedError(404, f"Not found: Collection `{collection}` doesn't exist!")
        if method == "create_payload_index":
            return models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)
        if collection:
            arguments["collection_name"] = collection
        try:
            return getattr(self.client, method)(**arguments)
        except ValueError as error:
            raise RefusedError(400, f"Wrong input: {error}") from error


class StandIn(ScriptedServer):
    """Serves the engine."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine

    def _answer(self, asked: Asked) -> bytes:
        if self.status:
            return super()._answer(asked)
        try:
            result = self._result(asked)
        except RefusedError as error:
            return self._reply(error.status, json.dumps({"status": {"error": str(error)}}))
        return self._reply(200, json.dumps({"result": _plain(result), "status": "ok", "time": 0}))

    def _result(self, asked: Asked) -> Any:
        _, _, collection, *rest = [*asked.path.split("/"), ""]
        method, arguments = _ROUTES[asked.method, "/".join(rest).strip("/")](asked.body)
        if not collection:
            method = "get_collections"
        key = asked.headers.get("api-key", "")
        return self.engine.run(method, collection, key, **arguments)


def kept_alive(url: str) -> str:
    """The same address; with 127.0.0.1 the vendor's client keeps no connection alive."""
    return url.replace("127.0.0.1", "127.1")


Route = Callable[[Any], tuple[str, dict[str, Any]]]


def _create(body: Any) -> tuple[str, dict[str, Any]]:
    asked = models.CreateCollection.model_validate(body)
    shape = {"vectors_config": asked.vectors, "sparse_vectors_config": asked.sparse_vectors}
    return "create_collection", {**shape, "metadata": asked.metadata}


def _upsert(body: Any) -> tuple[str, dict[str, Any]]:
    return "upsert", {"points": models.PointsList.model_validate(body).points}


def _retrieve(body: Any) -> tuple[str, dict[str, Any]]:
    asked = models.PointRequest.model_validate(body)
    what = {"with_payload": asked.with_payload, "with_vectors": asked.with_vector}
    return "retrieve", {"ids": asked.ids, **what}


def _delete(body: Any) -> tuple[str, dict[str, Any]]:
    kind = models.FilterSelector if "filter" in body else models.PointIdsList
    return "delete", {"points_selector": kind.model_validate(body)}


def _count(body: Any) -> tuple[str, dict[str, Any]]:
    return "count", {"count_filter": models.CountRequest.model_validate(body).filter}


def _query(body: Any) -> tuple[str, dict[str, Any]]:
    asked = models.QueryRequest.model_validate(body)
    return "query_points", {
        "query": asked.query,
        "using": asked.using,
        "query_filter": asked.filter,
        "limit": asked.limit,
        "offset": asked.offset,
        "with_payload": asked.with_payload,
        "score_threshold": asked.score_threshold,
    }


def _queries(body: Any) -> tuple[str, dict[str, Any]]:
    asked = models.QueryRequestBatch.model_validate(body)
    return "query_batch_points", {"requests": asked.searches}


def _scroll(body: Any) -> tuple[str, dict[str, Any]]:
    asked = models.ScrollRequest.model_validate(body)
    what = {"with_payload": asked.with_payload, "with_vectors": asked.with_vector}
    page = {"limit": asked.limit, "offset": asked.offset}
    return "scroll", {"scroll_filter": asked.filter, **page, **what}


def _changes(body: Any) -> tuple[str, dict[str, Any]]:
    return "batch_update_points", {
        "update_operations": models.UpdateOperations.model_validate(body).operations
    }


def _index(body: Any) -> tuple[str, dict[str, Any]]:
    asked = models.CreateFieldIndex.model_validate(body)
    return "create_payload_index", {
        "field_name": asked.field_name,
        "field_schema": asked.field_schema,
    }


_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", ""): lambda _: ("get_collection", {}),
    ("PUT", ""): _create,
    ("DELETE", ""): lambda _: ("delete_collection", {}),
    ("PUT", "index"): _index,
    ("PUT", "points"): _upsert,
    ("POST", "points"): _retrieve,
    ("POST", "points/delete"): _delete,
    ("POST", "points/count"): _count,
    ("POST", "points/query"): _query,
    ("POST", "points/query/batch"): _queries,
    ("POST", "points/scroll"): _scroll,
    ("POST", "points/batch"): _changes,
}


def _plain(result: Any) -> Any:
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json", exclude_none=True)
    if isinstance(result, tuple):
        points, offset = result
        return {"points": _plain(points), "next_page_offset": offset}
    return [_plain(one) for one in result] if isinstance(result, list) else result
