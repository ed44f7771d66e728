"""How the parts reach the default container without knowing it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infrastructure import ambient
from infrastructure.cache.base import CacheType
from infrastructure.config.models.base import Part
from infrastructure.config.models.cache import CacheSettings
from infrastructure.errors import ConfigurationError, UnknownKindError

CACHES: Part[CacheSettings] = Part(
    default=CacheSettings(kind="redis"),
    instances={
        "small": CacheSettings(kind="tin", ttl_seconds=1),
        "large": CacheSettings(kind="tin", ttl_seconds=2),
    },
)


@pytest.fixture(autouse=True)
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An entry point group of the test's own: nothing that is installed answers."""
    monkeypatch.setattr(ambient, "_GROUP", "switchgear.ambient_of_a_test")
    ambient._resolver.cache_clear()
    yield ambient._GROUP
    ambient._resolver.cache_clear()


@pytest.fixture
def container(
    group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """What a distribution on the path answers with."""
    (tmp_path / "resolver_of_a_test.py").write_text("known = {}\nresolve = known.__getitem__\n")
    info = tmp_path / "resolver_of_a_test-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: resolver-of-a-test\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{group}]\ndefault = resolver_of_a_test:resolve\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("resolver_of_a_test")
    module.known["settings"] = SimpleNamespace(cache=CACHES)
    yield module.known
    del sys.modules["resolver_of_a_test"]


def test_path_is_asked_of_the_resolver(container: dict[str, Any]) -> None:
    container["cache.default"] = "the cache"
    assert ambient.resolve("cache.default") == "the cache"


def test_without_a_resolver_it_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="Install the project"):
        ambient.resolve("cache.default")


def test_default_block_of_the_kind_comes_first(container: dict[str, Any]) -> None:
    assert ambient.block_of_kind("cache", CacheType.REDIS) is CACHES.default


def test_then_the_first_instance_of_the_kind(container: dict[str, Any]) -> None:
    assert ambient.block_of_kind("cache", "tin") is CACHES.instances["small"]


def test_then_the_defaults_of_the_kind(container: dict[str, Any]) -> None:
    assert ambient.block_of_kind("cache", CacheType.MEMORY).kind == "memory"


def test_kind_that_nobody_knows_is_named(container: dict[str, Any]) -> None:
    with pytest.raises(UnknownKindError, match="'reddis'"):
        ambient.block_of_kind("cache", "reddis")
