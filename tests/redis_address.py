"""Servers in the words of a settings block."""

from typing import Any
from urllib.parse import unquote, urlsplit

from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels


def address(url: str, **changed: Any) -> dict[str, Any]:
    parts = urlsplit(url)
    found = {
        "host": parts.hostname,
        "port": parts.port,
        "password": unquote(parts.password or "") or None,
        "database": int(parts.path.strip("/") or 0),
    }
    return found | changed


def cluster_address(servers: ValkeyCluster, /, **changed: Any) -> dict[str, Any]:
    password = urlsplit(servers.url).password
    return {"nodes": servers.nodes, "password": password} | changed


def sentinel_address(servers: ValkeySentinels, **changed: Any) -> dict[str, Any]:
    password = urlsplit(servers.url).password
    found = {"sentinels": servers.sentinels, "master_name": servers.master_name}
    return found | {"password": password} | changed
