"""Stores of Chroma, and databases of a server for them."""

import contextlib
import http.client
import itertools
import json

from infrastructure.connections.vector.chromadb import ChromadbSettings, ChromadbVectorStore
from infrastructure.servers.chroma import ChromaServer

_numbers = itertools.count()


def store_of(**found: object) -> ChromadbVectorStore:
    return ChromadbVectorStore(ChromadbSettings.model_validate(found), name="vector.default")


def new_database(chroma: ChromaServer) -> dict[str, str]:
    """An empty one on the server, as settings."""
    name = f"database_{next(_numbers)}"
    line = http.client.HTTPConnection("127.0.0.1", chroma.port)
    with contextlib.closing(line):
        path = "/api/v2/tenants/default_tenant/databases"
        line.request("POST", path, json.dumps({"name": name}), {"Content-Type": "application/json"})
        assert line.getresponse().status == http.HTTPStatus.OK
    return {"url": chroma.url, "database": name}
