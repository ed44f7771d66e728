"""How long ten connections take to start, against the slowest of them alone.

Run it with `python tests/benchmarks/connections.py`. A proxy before a real Valkey holds each reply
back, so that the time is the network's and not the processor's; the slowest waits four times as
long as the others. Wall clock, rounds interleaved, the middle of the rounds counts.
"""

import asyncio
import os
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

from containers import Container
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

ROUNDS = 9
MANAGERS = 10
DELAY_SECONDS = 0.05
SLOWEST_SECONDS = 0.2


async def started(instances: dict[str, Any]) -> float:
    """Seconds that `start()` takes."""
    container = Container(profile="test", overrides={"db": {"instances": instances}})
    since = time.perf_counter()
    await container.start()
    taken = time.perf_counter() - since
    await container.stop()
    return taken


async def main() -> None:
    with ValkeyServer() as server:
        where = urlsplit(server.url)
        async with AsyncExitStack() as stack:
            ten: dict[str, Any] = {}
            for number in range(MANAGERS):
                proxy = FaultProxy(str(where.hostname), int(where.port or 0))
                await stack.enter_async_context(proxy)
                proxy.delay(SLOWEST_SECONDS if number == 0 else DELAY_SECONDS)
                found = address(server.url, port=proxy.port)
                ten[f"number_{number}"] = {"kind": "redis", **found}
            slowest = {"number_0": ten["number_0"]}
            times: dict[str, list[float]] = {"the slowest alone": [], "all ten": []}
            for _ in range(ROUNDS):
                times["the slowest alone"].append(await started(slowest))
                times["all ten"].append(await started(ten))
    alone, together = (statistics.median(each) for each in times.values())
    for name, taken in (("the slowest alone", alone), ("all ten", together)):
        print(f"{name:<20} {taken * 1000:8.1f} ms  {taken / alone:5.2f}x")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        asyncio.run(main())
