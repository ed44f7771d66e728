"""A FastAPI application over repositories that are handed a session factory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Annotated, Any

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient


class Database:
    def __init__(self, url: str) -> None:
        self.url = url
        self.rows: dict[int, str] = {}
        self.sessions = 0

    @contextmanager
    def session(self) -> Iterator[dict[int, str]]:
        self.sessions += 1
        yield self.rows


class Repository:
    def __init__(
        self, session_factory: Callable[..., AbstractContextManager[dict[int, str]]]
    ) -> None:
        self.session_factory = session_factory

    def get(self, number: int) -> str:
        with self.session_factory() as rows:
            if number not in rows:
                raise LookupError(number)
            return rows[number]

    def add(self, name: str) -> int:
        with self.session_factory() as rows:
            rows[len(rows) + 1] = name
            return len(rows)


class Web(containers.DeclarativeContainer):
    wiring_config = containers.WiringConfiguration(modules=[__name__])

    config = providers.Configuration(default={"url": "memory://"})
    database = providers.Singleton(Database, url=config.url)
    repository = providers.Factory(Repository, session_factory=database.provided.session)


router = APIRouter()


@router.get("/users/{number}")
@inject
def user(
    number: int, repository: Annotated[Repository, Depends(Provide[Web.repository])]
) -> dict[str, str]:
    try:
        return {"name": repository.get(number)}
    except LookupError:
        raise HTTPException(404) from None


@router.post("/users/{name}")
@inject
async def add(name: str, repository: Repository = Depends(Provide[Web.repository])) -> int:
    return repository.add(name)


def application() -> FastAPI:
    web = Web()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        web.init_resources()
        yield
        web.shutdown_resources()

    app = FastAPI(lifespan=lifespan)
    app.container = web  # type: ignore[attr-defined]  # where such applications keep it
    app.include_router(router)
    return app


def program_requests_reach_the_database():
    app: Any = application()
    with TestClient(app) as client:
        assert client.post("/users/ada").json() == 1
        assert client.get("/users/1").json() == {"name": "ada"}
        assert client.get("/users/2").status_code == 404
    assert app.container.database().sessions == 3
    app.container.unwire()
    return app.container


def program_requests_reach_a_stub():
    app: Any = application()

    class Stub(Repository):
        def __init__(self) -> None: ...

        def get(self, number: int) -> str:
            return "stub"

    with app.container.repository.override(Stub()), TestClient(app) as client:
        assert client.get("/users/9").json() == {"name": "stub"}
    app.container.unwire()
