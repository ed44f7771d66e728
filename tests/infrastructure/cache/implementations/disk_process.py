"""Another process on the same disk cache: `disk_process.py <path> <what>`.

It says `ready`, waits for a line, does it, and says how it went.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from infrastructure.cache.implementations.disk import DiskCacheProvider, DiskCacheSettings

TIMES = 50


async def main(path: str, what: str) -> None:
    settings = DiskCacheSettings(path=Path(path), timeout_seconds=20)
    async with DiskCacheProvider(settings) as provider:
        _say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        _say(await DOING[what](provider))


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def increment(provider: DiskCacheProvider) -> object:
    return [await provider.increment("n", 1, 60) for _ in range(TIMES)][-1]


async def add(provider: DiskCacheProvider) -> object:
    return await provider.add("key", 1, 60)


async def lease(provider: DiskCacheProvider) -> object:
    return bool(await provider.lease("key", 60))


async def write(provider: DiskCacheProvider) -> object:
    """Until it is killed; each value says its own key."""
    _say("writing")
    for number in itertools.count():
        key = f"k{number % 50}"
        await provider.set(key, [key, "x" * (number % 9000)], 600)
        if number == 100:
            _say("going")
    return None


DOING = {"increment": increment, "add": add, "lease": lease, "write": write}

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
