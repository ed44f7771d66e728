from typing import Any

import pytest
from pydantic import ValidationError

from infrastructure.connections.redis_address import Endpoint, RedisAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("a.test:7000", "a.test", 7000), ("[::1]:7000", "::1", 7000), ("127.0.0.1:1", "127.0.0.1", 1)],
)
def test_an_endpoint_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert Endpoint.parse(text) == (host, port)


@pytest.mark.parametrize("text", ["", "host", ":1", "host:", "host:0", "host:65536", "host:x"])
def test_anything_else_is_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"nodes": ["a:1"], "sentinels": ["b:2"]}, "exclude each other"),
        ({"cluster": True, "database": 1}, "database 0"),
        ({"warm_connections": 3, "max_connections": 2}, "warm_connections"),
        ({"nodes": ["nonsense"]}, "host:port"),
        ({"client_name": "two words"}, "client_name"),
    ],
)
def test_what_does_not_fit_together_is_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RedisAddress.model_validate(block)


def test_a_host_can_be_a_member_of_a_cluster() -> None:
    address = RedisAddress(host="a.test", cluster=True)
    assert address.is_cluster
    assert address.endpoints == (("a.test", 6379),)


def test_the_label_names_the_places_and_no_password() -> None:
    found = {"sentinels": ["a:1", "b:2"], "password": "hunter2", "sentinel_password": "hunter3"}
    address = RedisAddress.model_validate(found)
    assert address.label == "mymaster of the sentinels a:1, b:2"
    assert "hunter" not in repr(address)
