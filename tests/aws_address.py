"""Settings for the servers that speak as AWS does."""

from typing import Any

from infrastructure.servers.moto import MotoServer
from infrastructure.servers.seaweedfs import SeaweedServer


def aws_address(server: MotoServer | SeaweedServer, **changed: Any) -> dict[str, Any]:
    """The block that lets a manager in; `port` puts something between it and the server."""
    port = changed.pop("port", None)
    found = {
        "endpoint_url": f"http://127.0.0.1:{port}" if port else server.url,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }
    if isinstance(server, SeaweedServer):
        found["bucket"] = server.bucket
    return {**found, **changed}
