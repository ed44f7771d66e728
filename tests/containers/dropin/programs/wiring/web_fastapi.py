"""A FastAPI application, in the two spellings of its markers."""

from collections.abc import AsyncIterator
from typing import Annotated

from dependency_injector import containers, providers
from dependency_injector.wiring import Closing, Provide, inject
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

ended: list[str] = []


class Prices:
    async def of(self, thing: str) -> int:
        return len(thing)


async def session() -> AsyncIterator[str]:
    yield "session"
    ended.append("session")


class Market(containers.DeclarativeContainer):
    config = providers.Configuration(default={"limit": "7"})
    prices = providers.Singleton(Prices)
    session = providers.Resource(session)


app = FastAPI()


@app.get("/price/{thing}")
@inject
async def price(
    thing: str,
    prices: Annotated[Prices, Depends(Provide[Market.prices])],
    limit: Annotated[int, Depends(Provide[Market.config.limit.as_int()])],
) -> dict[str, int]:
    return {"price": await prices.of(thing), "limit": limit}


@app.get("/old/{thing}")
@inject
async def old(thing: str, prices: Prices = Depends(Provide["prices"])) -> dict[str, int]:
    return {"price": await prices.of(thing)}


@app.get("/session")
@inject
async def with_session(
    session: Annotated[str, Depends(Closing[Provide[Market.session]])],
) -> str:
    return session


def program_endpoints_are_injected():
    market = Market()
    market.wire(modules=[__name__])
    client = TestClient(app)
    assert client.get("/price/apple").json() == {"price": 5, "limit": 7}
    assert client.get("/old/fig").json() == {"price": 3}
    with market.prices.override(providers.Factory(Prices)):
        assert client.get("/old/fig").json() == {"price": 3}
    assert client.get("/session").json() == "session"
    assert ended == ["session"]
    market.unwire()
    return market
