"""Ten managers of a container start at once: in the time of the slowest."""

import asyncio
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from containers import Container
from infrastructure.servers.base import LocalServer
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

NAMES = [f"number_{number}" for number in range(10)]


async def test_nobody_waits_for_another_to_be_open(valkey: LocalServer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    where = urlsplit(valkey.url)
    assert where.hostname
    assert where.port
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(FaultProxy(where.hostname, where.port)) for _ in NAMES
        ]
        for proxy in opened:
            proxy.black_hole()
        instances = {
            name: {"kind": "redis", **address(valkey.url, port=proxy.port)}
            for name, proxy in zip(NAMES, opened, strict=True)
        }
        container = Container(profile="test", overrides={"db": {"instances": instances}})
        starting = asyncio.create_task(container.start())
        stack.push_async_callback(container.stop)
        async with asyncio.timeout(5):
            while not all(proxy.accepted for proxy in opened):  # all ask before one is answered
                assert not starting.done()
                await asyncio.sleep(0)
        assert not starting.done()
        for proxy in opened:
            await proxy.passes()
        await starting
        for name in NAMES:
            assert (await container.get(f"db.instances.{name}").health_check()).is_up
