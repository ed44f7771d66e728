"""Another process of one application, and the side of it that a test holds.

Run as a script it reads JSON lines: first the settings of a cache, then calls such as
`["get", "key"]`, which it does one after the other on a `CacheService`. It answers each with a
JSON line `{"gave": ...}` or `{"raised": "<class>"}`; a loader says `{"loads": <pid>}` first.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 30.0


class CacheProcess:
    """A running process with a cache of its own.

    Args:
        settings: Of its cache, with `kind`; sent over a pipe, since they have a password.

    Attributes:
        loads: How many loads it began, as far as its answers were read.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.loads = 0
        self._settings = settings
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self._write(self._settings)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()

    async def ready(self) -> None:
        """Wait until it has asked the cache something."""
        await self.ask("get", "nothing")

    async def ask(self, *call: Any) -> Any:
        """Have it do something; give its answer, or the name of what it raised."""
        self.begin(*call)
        return await self.answer()

    def begin(self, *call: Any) -> None:
        """Have it do something, whose answer is read later."""
        self._write(call)

    async def answer(self) -> Any:
        """The answer of the earliest call that was not read yet."""
        while True:
            said = await self._line()
            if "loads" not in said:
                return said.get("gave", said.get("raised"))

    async def loading(self) -> None:
        """Wait until a loader runs."""
        assert "loads" in await self._line()

    async def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        await self._process.wait()

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            raw = await self._process.stdout.readline()
        assert raw, "the process has ended; its reason is in the test's stderr"
        said: dict[str, Any] = json.loads(raw)
        self.loads += "loads" in said
        return said

    def _write(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def _loader(seconds: float) -> Callable[[], Coroutine[Any, Any, int]]:
    """What takes its time and gives the process id."""

    async def load() -> int:
        _say({"loads": os.getpid()})
        await asyncio.sleep(seconds)
        return os.getpid()

    return load


async def _crowd(cache: Any, callers: int, seconds: float, lease_seconds: float) -> Any:
    """Ask for one missing key many times at once; give the different answers."""
    from infrastructure.cache import CacheEntryOptions

    load, options = _loader(seconds), CacheEntryOptions(lease_seconds=lease_seconds)
    asking = (cache.get_or_set("key", load, options=options) for _ in range(callers))
    answers = await asyncio.gather(*asking)
    return {"answers": sorted(set(answers)), "fallbacks": cache.fallbacks.total()}


async def _leave(cache: Any, seconds: float) -> Any:
    """Ask for the key, and give up as soon as the loader runs."""
    started = asyncio.Event()
    load = _loader(seconds)

    async def noted() -> int:
        started.set()
        return await load()

    asking = asyncio.create_task(cache.get_or_set("key", noted))
    await started.wait()
    asking.cancel()
    ended = await asyncio.gather(asking, return_exceptions=True)
    return type(ended[0]).__name__


async def _copies(cache: Any) -> Any:
    return {"near_hits": cache.provider.near_hits, "live": cache.provider.serves_copies}


_OWN: dict[str, Callable[..., Awaitable[Any]]] = {
    "crowd": _crowd,
    "leave": _leave,
    "copies": _copies,
}


async def _do(cache: Any, name: str, *args: Any) -> dict[str, Any]:
    from infrastructure.errors import InfrastructureError

    try:
        if name in _OWN:
            return {"gave": await _OWN[name](cache, *args)}
        return {"gave": await getattr(cache, name)(*args)}
    except InfrastructureError as error:
        return {"raised": type(error).__name__}


async def _main() -> None:
    from infrastructure.cache import CacheService

    async with CacheService("app", provider=_provider(json.loads(sys.stdin.readline()))) as cache:
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(await _do(cache, *json.loads(line)))


def _provider(found: dict[str, Any]) -> Any:
    from infrastructure.cache import CacheRegistry

    return CacheRegistry.create(_block(found), name="cache.default")


def _block(found: dict[str, Any]) -> Any:
    """The settings as their model, and those of a cache behind as theirs."""
    from infrastructure.cache import CacheRegistry

    inner = {"far": _block(found["far"])} if "far" in found else {}
    return CacheRegistry.resolve(found["kind"]).Settings.model_validate(found | inner)


if __name__ == "__main__":
    asyncio.run(_main())
