"""An asynchronous pool with a beginning and an end, and a service upon it."""

from collections.abc import AsyncIterator

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject


class Pool:
    def __init__(self, host: str) -> None:
        self.host = host
        self.is_open = True
        self.values: dict[str, str] = {"key": "value"}

    async def get(self, key: str) -> str:
        return self.values[key]


async def opened(host: str) -> AsyncIterator[Pool]:
    pool = Pool(host)
    yield pool
    pool.is_open = False


class Service:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def process(self) -> str:
        return await self.pool.get("key")


class App(containers.DeclarativeContainer):
    config = providers.Configuration(default={"host": "h"})
    pool = providers.Resource(opened, host=config.host)
    service = providers.Factory(Service, pool=pool)


@inject
async def main(service: Service = Provide[App.service]) -> Service:
    assert await service.process() == "value"
    return service


async def program_a_service_over_a_started_pool():
    app = App()
    await app.init_resources()
    app.wire(modules=[__name__])
    service = await main()
    assert service.pool.is_open
    assert (await main()).pool is service.pool
    await app.shutdown_resources()
    assert not service.pool.is_open
    app.unwire()
    return app
