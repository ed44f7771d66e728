"""A stand-in for the default container: what `ambient` asks, answered from a dictionary."""

from collections.abc import Callable
from typing import Any

import pytest

from infrastructure import ambient
from infrastructure.cache import CacheRegistry, CacheService
from infrastructure.config.models.base import Part
from infrastructure.config.models.cache import CacheSettings

Configure = Callable[..., dict[str, Any]]


class _Settings:
    def __init__(self, cache: Part[CacheSettings]) -> None:
        self.cache = cache


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Call it with the blocks of `cache:` to have them, and services over them, as default."""

    def configure(default: CacheSettings, **instances: CacheSettings) -> dict[str, Any]:
        part = Part[CacheSettings].model_construct(default=default, instances=instances)
        found: dict[str, Any] = {"settings": _Settings(part)}
        for path, block in part.blocks().items():
            provider = CacheRegistry.create(block, name=f"cache.{path}")
            found[f"cache.{path}"] = CacheService("container", provider=provider)
        monkeypatch.setattr(ambient, "_resolver", lambda: found.__getitem__)
        return found

    return configure
