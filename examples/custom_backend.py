"""A third party's cache kind in one file: its settings, its class, and the word for the YAML."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from containers import Container
from infrastructure.cache import BaseCacheProvider, CacheRegistry
from infrastructure.cache.base import MISSING
from infrastructure.config.models.cache import CacheSettings


class FolderSettings(CacheSettings):
    """A block of kind `folder`."""

    kind: str = "folder"
    path: Path = Path("cache")


@CacheRegistry.register("folder")
class FolderCacheProvider(BaseCacheProvider):
    """One JSON file for each entry; to show what a backend needs, not to be fast."""

    Settings: ClassVar[type[CacheSettings]] = FolderSettings
    settings: FolderSettings

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        return [self._read(key)[0] for key in keys]

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        await self.connect()
        for key, value in values.items():
            entry = {"key": key, "value": value, "ends": time.time() + ttl_seconds}
            self._file(key).write_text(json.dumps(entry))

    async def delete_many(self, keys: Sequence[str]) -> int:
        there = [file for file in map(self._file, keys) if file.exists()]
        for file in there:
            file.unlink()
        return len(there)

    async def ttl(self, key: str) -> float | None:
        value, ends = self._read(key)
        return None if value is MISSING else ends - time.time()

    async def delete_prefix(self, prefix: str) -> int:
        files = self.settings.path.glob("*.json")
        keys = [json.loads(file.read_text())["key"] for file in files]
        return await self.delete_many([key for key in keys if key.startswith(prefix)])

    async def _open(self) -> None:
        self.settings.path.mkdir(parents=True, exist_ok=True)

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return str(self.settings.path)

    def _read(self, key: str) -> tuple[Any, float]:
        file = self._file(key)
        entry = json.loads(file.read_text()) if file.exists() else {"ends": 0.0}
        return (entry["value"], entry["ends"]) if entry["ends"] > time.time() else (MISSING, 0.0)

    def _file(self, key: str) -> Path:
        return self.settings.path / f"{key.encode().hex()}.json"


async def main() -> None:
    overrides = {"cache.default": {"kind": "folder", "path": "entries"}}
    async with Container(profile="test", overrides=overrides) as container:
        cache = container.cache.default()
        await cache.set("greeting", "hello")
        print(await cache.get("greeting"), "from", cache.provider)


asyncio.run(main())
