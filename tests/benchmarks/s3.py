"""The object store's manager against the raw driver, and the memory of a long stream, on SeaweedFS.

    python -m tests.benchmarks.s3 --rounds 15 --gibibytes 1

Put and get: the median of calls that take turns one by one, since the machine's and the server's
moods last longer than a call; in processor time of this process and in time by the clock; x is
ours over the driver's. The stream: what the process grew by.
"""

import argparse
import asyncio
import gc
import resource
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from infrastructure.connections.external.s3 import S3ConnectionManager
from infrastructure.connections.external.s3.settings import MEBIBYTE, S3Settings
from infrastructure.servers.seaweedfs import SeaweedServer
from tests.aws_address import aws_address

SIZES = {"10 KiB": (10 * 1024, 50), "1 MiB": (MEBIBYTE, 10)}
Call = Callable[[], Awaitable[Any]]


def raw_client(server: SeaweedServer) -> Any:
    """The driver with its defaults."""
    return AioSession().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        config=AioConfig(s3={"addressing_style": "path"}),
    )


async def measured(calls: dict[str, Call], rounds: int, each: int) -> dict[str, tuple[float, ...]]:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for number in range(rounds * each):
        names = list(calls) if number % 2 else list(reversed(calls))
        for name in names:
            processor, clock = time.process_time(), time.perf_counter()
            await calls[name]()
            used = (time.process_time() - processor, time.perf_counter() - clock)
            taken[name].append(used)
    return {
        name: tuple(statistics.median(figures) for figures in zip(*rows, strict=True))
        for name, rows in taken.items()
    }


async def compare(store: S3ConnectionManager, raw: Any, rounds: int) -> None:
    bucket = store.settings.bucket
    for title, (length, each) in SIZES.items():
        data = bytes(range(256)) * (length // 256)

        async def raw_put(data: bytes = data) -> Any:
            return await raw.put_object(Bucket=bucket, Key="raw", Body=data)

        async def our_put(data: bytes = data) -> Any:
            return await store.put("ours", data)

        async def raw_get() -> bytes:
            answer = await raw.get_object(Bucket=bucket, Key="raw")
            async with answer["Body"] as body:
                found: bytes = await body.read()
            return found

        async def our_get() -> bytes:
            return await store.get("ours")

        pairs: dict[str, tuple[Call, Call]] = {
            "put": (raw_put, our_put),
            "get": (raw_get, our_get),
        }
        for word, (theirs, ours) in pairs.items():
            await theirs()
            found = await measured({"driver": theirs, "ours": ours}, rounds, each)
            columns = [
                f"{kind} {theirs_s * 1e3:7.3f} ms, ours {ours_s * 1e3:7.3f} ms"
                f" {ours_s / theirs_s:5.2f} x"
                for kind, theirs_s, ours_s in zip(
                    ("processor", "clock"), found["driver"], found["ours"], strict=True
                )
            ]
            print(f"{word} {title:>7}  {'   '.join(columns)}")


async def stream(store: S3ConnectionManager, mebibytes: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(mebibytes):
            yield bytes(MEBIBYTE)

    gc.collect()
    before, started = peak_mebibytes(), time.perf_counter()
    await store.put("long", pieces())
    put = time.perf_counter() - started
    length = 0
    async for piece in store.stream("long"):
        length += len(piece)
    assert length == mebibytes * MEBIBYTE
    got = time.perf_counter() - started - put
    grown = peak_mebibytes() - before
    print(f"stream of {mebibytes} MiB: up {put:.1f} s, down {got:.1f} s, grown by {grown:.0f} MiB")
    await store.delete("long")


def peak_mebibytes() -> float:
    """The most memory this process ever had, on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(rounds: int, gibibytes: float) -> None:
    async with AsyncExitStack() as ends:
        server = ends.enter_context(SeaweedServer())
        settings = S3Settings.model_validate(aws_address(server, timeout_seconds=60))
        store = await ends.enter_async_context(S3ConnectionManager(settings, name="files"))
        raw = await ends.enter_async_context(raw_client(server))
        await compare(store, raw, rounds)
        await stream(store, int(gibibytes * 1024))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--gibibytes", type=float, default=1.0)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.rounds, chosen.gibibytes))
