"""The object graphs of the container's benchmarks, and the same work without our container.

`container_core.py` measures them. The names are those that a harness for several containers gives
to `container_peer.py`, so that one peer class serves both.
"""

import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from dependency_injector import containers as di_containers
from dependency_injector import providers as di_providers
from fastapi import FastAPI, Response

#: "sync" or "async", one operation, and a check of what it gives.
Built = tuple[str, Callable[[], Any], Callable[[Any], None]]
PEERS: dict[str, type] = {}


def peer(name: str, dist: str | None, imports: str | None) -> Callable[[type], type]:
    """Offer a class whose methods are the rows; distribution and import line are for a harness."""

    def keep(cls: type) -> type:
        PEERS[name] = cls
        return cls

    return keep


class Settings: ...


class Clock: ...


class L1: ...


class L2: ...


class L3: ...


class L4: ...


class M1:
    def __init__(self, a: L1, b: L2) -> None:
        self.a, self.b = a, b


class M2:
    def __init__(self, a: L3, b: L4) -> None:
        self.a, self.b = a, b


class Root:
    def __init__(self, a: M1, b: M2) -> None:
        self.a, self.b = a, b


class Both:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings, self.clock = settings, clock


class Session:
    closed = False

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class RepoA:
    def __init__(self, session: Session) -> None:
        self.session = session


class RepoB:
    def __init__(self, session: Session) -> None:
        self.session = session


class Service:
    def __init__(self, a: RepoA, b: RepoB) -> None:
        self.a, self.b = a, b


class Handler:
    def __init__(self, service: Service) -> None:
        self.service = service


def gen_session() -> Iterator[Session]:
    opened = Session()
    try:
        yield opened
    finally:
        opened.close()


async def agen_session() -> AsyncIterator[Session]:
    opened = Session()
    try:
        yield opened
    finally:
        await opened.aclose()


def many_classes(count: int) -> list[type]:
    """Classes of which number i takes one of number (i - 1) // 2: chains of depth log2."""
    made: list[type] = []
    for number in range(count):
        made.append(_leaf() if number == 0 else _link(made[(number - 1) // 2]))
        made[-1].__name__ = f"N{number}"
    return made


def _leaf() -> type:
    class Leaf: ...

    return Leaf


def _link(needed: type) -> type:
    class Link:
        def __init__(self, dep: Any) -> None:
            self.dep = dep

    Link.__init__.__annotations__["dep"] = needed
    return Link


def is_(kind: type) -> Callable[[Any], None]:
    def check(made: Any) -> None:
        assert type(made) is kind, made

    return check


def is_pair(made: Any) -> None:
    assert (type(made[0]), type(made[1])) == (Settings, Clock), made


def check_handler(made: Handler) -> None:
    assert type(made) is Handler
    assert type(made.service.a.session) is Session
    assert made.service.a.session is made.service.b.session


def answer(settings: Any, clock: Any, session: Any) -> Response:
    """What an endpoint does with its dependencies."""
    is_pair((settings, clock))
    assert type(session) is Session
    assert not session.closed
    return Response(b"ok")


class ByHand:
    """No container: what a careful programmer writes."""

    def singleton(self) -> Built:
        one = Settings()

        def get() -> Settings:
            return one

        return "sync", get, is_(Settings)

    def injected(self) -> Built:
        settings, clock = Settings(), Clock()

        def make() -> Both:
            return Both(settings, clock)

        return "sync", make, is_(Both)

    def transient7(self) -> Built:
        return "sync", lambda: Root(M1(L1(), L2()), M2(L3(), L4())), is_(Root)

    def scope_sync(self) -> Built:
        def unit() -> Handler:
            session = Session()
            return Handler(Service(RepoA(session), RepoB(session)))

        return "sync", unit, check_handler

    def scope_gen(self) -> Built:
        def unit() -> Handler:
            session = Session()
            try:
                return Handler(Service(RepoA(session), RepoB(session)))
            finally:
                session.close()

        return "sync", unit, check_handler

    def scope_async(self) -> Built:
        async def unit() -> Handler:
            session = Session()
            try:
                return Handler(Service(RepoA(session), RepoB(session)))
            finally:
                await session.aclose()

        return "async", unit, check_handler

    def inject_sync(self) -> Built:
        settings, clock = Settings(), Clock()

        def work(settings: Settings, clock: Clock) -> Any:
            return settings, clock

        return "sync", lambda: work(settings, clock), is_pair

    def inject_async(self) -> Built:
        settings, clock = Settings(), Clock()

        async def work(settings: Settings, clock: Clock) -> Any:
            return settings, clock

        async def call() -> Any:
            return await work(settings, clock)

        return "async", call, is_pair

    def fastapi(self) -> FastAPI:
        app, settings, clock = FastAPI(), Settings(), Clock()

        @app.get("/")
        async def index() -> Response:
            session = Session()
            try:
                return answer(settings, clock, session)
            finally:
                await session.aclose()

        return app


class PlainDependencyInjector:
    """dependency-injector's own containers and providers."""

    def singleton(self) -> Built:
        class C(di_containers.DeclarativeContainer):
            settings = di_providers.Singleton(Settings)

        c = C()
        return "sync", lambda: c.settings(), is_(Settings)  # noqa: PLW0108 - as a user spells it

    def build200(self) -> Built:
        classes = many_classes(200)

        def build() -> Any:
            made: list[Any] = [di_providers.Singleton(classes[0])]
            for number, cls in enumerate(classes[1:], start=1):
                made.append(di_providers.Singleton(cls, made[(number - 1) // 2]))
            names = {f"n{number}": provider for number, provider in enumerate(made)}
            bases = (di_containers.DeclarativeContainer,)
            container: Any = types.new_class("C", bases, {}, lambda body: body.update(names))
            return container().n199()

        return "sync", build, is_(classes[199])
