"""A daemon: monitors of two kinds, run by a dispatcher until it is stopped."""

import asyncio
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject


class Http:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get(self, url: str) -> int:
        self.asked.append(url)
        await asyncio.sleep(0)
        return 200


class Monitor:
    def __init__(self, checks: int) -> None:
        self.checks = checks

    async def check(self) -> None:
        raise NotImplementedError


class HttpMonitor(Monitor):
    def __init__(self, http: Http, options: dict[str, Any]) -> None:
        super().__init__(int(options["checks"]))
        self.http = http
        self.url = options["url"]

    async def check(self) -> None:
        await self.http.get(self.url)


class Dispatcher:
    def __init__(self, monitors: list[Monitor]) -> None:
        self.monitors = monitors

    async def run(self) -> int:
        async with asyncio.TaskGroup() as tasks:
            for monitor in self.monitors:
                tasks.create_task(self._watch(monitor))
        return len(self.monitors)

    async def _watch(self, monitor: Monitor) -> None:
        for _ in range(monitor.checks):
            await monitor.check()


class Daemon(containers.DeclarativeContainer):
    config = providers.Configuration(
        default={
            "monitors": {
                "shop": {"url": "http://shop", "checks": "2"},
                "bank": {"url": "http://bank", "checks": "1"},
            }
        }
    )
    http = providers.Factory(Http)
    shop = providers.Factory(HttpMonitor, http=http, options=config.monitors.shop)
    bank = providers.Factory(HttpMonitor, http=http, options=config.monitors.bank)
    dispatcher = providers.Factory(Dispatcher, monitors=providers.List(shop, bank))


@inject
async def main(dispatcher: Dispatcher = Provide[Daemon.dispatcher]) -> int:
    return await dispatcher.run()


async def program_a_dispatcher_of_monitors():
    daemon = Daemon()
    daemon.wire(modules=[__name__])
    assert await main() == 2
    http = Http()
    with daemon.http.override(http):
        assert await main() == 2
    assert sorted(http.asked) == ["http://bank", "http://shop", "http://shop"]
    daemon.unwire()
    return daemon
