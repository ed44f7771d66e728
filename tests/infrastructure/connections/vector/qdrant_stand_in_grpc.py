"""A Qdrant server's services over gRPC, with the vendor's local engine behind them."""

# ruff: noqa: N802 - the methods are called as the service has them

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc as transport
from qdrant_client import grpc, models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc
from qdrant_client.grpc.collections_service_pb2_grpc import (
    CollectionsServicer,
    add_CollectionsServicer_to_server,
)
from qdrant_client.grpc.points_service_pb2_grpc import (
    PointsServicer,
    add_PointsServicer_to_server,
)

from tests.infrastructure.connections.vector.qdrant_stand_in import Engine, RefusedError

CODES = {
    400: transport.StatusCode.INVALID_ARGUMENT,
    401: transport.StatusCode.UNAUTHENTICATED,
    403: transport.StatusCode.PERMISSION_DENIED,
    404: transport.StatusCode.NOT_FOUND,
    409: transport.StatusCode.ALREADY_EXISTS,
    429: transport.StatusCode.RESOURCE_EXHAUSTED,
    500: transport.StatusCode.INTERNAL,
    501: transport.StatusCode.UNIMPLEMENTED,
}
DONE = grpc.UpdateResult(operation_id=0, status=grpc.UpdateStatus.Completed)
Run = Callable[..., Any]


class Engined:
    """Runs the engine for a service, and answers its refusals by their codes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, context: Any, method: str, collection: str = "", **arguments: Any) -> Any:
        key = dict(context.invocation_metadata()).get("api-key", "")
        try:
            return self._engine.run(method, collection, key, **arguments)
        except RefusedError as error:
            if error.retry_after_seconds is not None:
                context.set_trailing_metadata((("retry-after", str(error.retry_after_seconds)),))
            context.abort(CODES[error.status], str(error))


class Collections(Engined, CollectionsServicer):
    def List(self, request: Any, context: Any) -> Any:
        found = self.run(context, "get_collections").collections
        described = [grpc.CollectionDescription(name=one.name) for one in found]
        return grpc.ListCollectionsResponse(collections=described)

    def Get(self, request: Any, context: Any) -> Any:
        found = self.run(context, "get_collection", request.collection_name)
        return grpc.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(found))

    def Create(self, request: Any, context: Any) -> Any:
        sparse = None
        if request.HasField("sparse_vectors_config"):
            sparse = GrpcToRest.convert_sparse_vector_config(request.sparse_vectors_config)
        made = self.run(
            context,
            "create_collection",
            request.collection_name,
            vectors_config=GrpcToRest.convert_vectors_config(request.vectors_config),
            sparse_vectors_config=sparse,
            metadata=GrpcToRest.convert_payload(request.metadata),
        )
        return grpc.CollectionOperationResponse(result=made)

    def Delete(self, request: Any, context: Any) -> Any:
        gone = self.run(context, "delete_collection", request.collection_name)
        return grpc.CollectionOperationResponse(result=gone)


class Points(Engined, PointsServicer):
    def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        self.run(context, "create_payload_index", request.collection_name)
        return grpc.PointsOperationResponse(result=DONE)

    def Upsert(self, request: Any, context: Any) -> Any:
        points = [GrpcToRest.convert_point_struct(one) for one in request.points]
        self.run(context, "upsert", request.collection_name, points=points)
        return grpc.PointsOperationResponse(result=DONE)

    def UpdateBatch(self, request: Any, context: Any) -> Any:
        changes = [GrpcToRest.convert_points_update_operation(one) for one in request.operations]
        name = request.collection_name
        self.run(context, "batch_update_points", name, update_operations=changes)
        return grpc.UpdateBatchResponse(result=[DONE] * len(changes))

    def Delete(self, request: Any, context: Any) -> Any:
        asked = GrpcToRest.convert_points_selector(request.points)
        self.run(context, "delete", request.collection_name, points_selector=asked)
        return grpc.PointsOperationResponse(result=DONE)

    def Get(self, request: Any, context: Any) -> Any:
        ids = [GrpcToRest.convert_point_id(one) for one in request.ids]
        found = self.run(context, "retrieve", request.collection_name, ids=ids, **_what(request))
        return grpc.GetResponse(result=_records(found))

    def Count(self, request: Any, context: Any) -> Any:
        found = self.run(context, "count", request.collection_name, count_filter=_filter(request))
        return grpc.CountResponse(result=grpc.CountResult(count=found.count))

    def Scroll(self, request: Any, context: Any) -> Any:
        offset = request.offset if request.HasField("offset") else None
        found, following = self.run(
            context,
            "scroll",
            request.collection_name,
            scroll_filter=_filter(request),
            limit=request.limit,
            offset=offset and GrpcToRest.convert_point_id(offset),
            **_what(request),
        )
        records = _records(found)
        after = following and RestToGrpc.convert_extended_point_id(following)
        return grpc.ScrollResponse(result=records, next_page_offset=after)

    def Query(self, request: Any, context: Any) -> Any:
        asked = GrpcToRest.convert_query_points(request)
        return grpc.QueryResponse(result=self._found(context, request.collection_name, asked))

    def QueryBatch(self, request: Any, context: Any) -> Any:
        asked = [GrpcToRest.convert_query_points(one) for one in request.query_points]
        found = [self._found(context, request.collection_name, one) for one in asked]
        return grpc.QueryBatchResponse(result=[grpc.BatchResult(result=one) for one in found])

    def _found(self, context: Any, name: str, asked: models.QueryRequest) -> list[Any]:
        (answer,) = self.run(context, "query_batch_points", name, requests=[asked])
        return [RestToGrpc.convert_scored_point(one) for one in answer.points]


def _records(found: list[models.Record]) -> list[Any]:
    whole = (one.model_copy(update={"payload": one.payload or {}}) for one in found)
    return [RestToGrpc.convert_record(one) for one in whole]


def _what(request: Any) -> dict[str, Any]:
    return {
        "with_payload": GrpcToRest.convert_with_payload_selector(request.with_payload),
        "with_vectors": GrpcToRest.convert_with_vectors_selector(request.with_vectors),
    }


def _filter(request: Any) -> models.Filter | None:
    return GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None


@contextmanager
def served_by_grpc(engine: Engine) -> Iterator[int]:
    """The port it is served at, by one thread, for the engine is no more."""
    server = transport.server(ThreadPoolExecutor(1))
    add_CollectionsServicer_to_server(Collections(engine), server)  # type: ignore[no-untyped-call]  # made by protoc
    add_PointsServicer_to_server(Points(engine), server)  # type: ignore[no-untyped-call]  # made by protoc
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()
