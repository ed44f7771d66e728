"""Switchgear as one peer among several containers: each method builds one row of a benchmark.

The file is executed in the namespace of a peers' harness that offers `@peer` and the classes of
`container_shapes.py`; `container_core.py` does the same. That is why it imports them for the type
checker only. A row is `("sync" or "async", operation, check)`, or an ASGI application.
"""

import types
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from fastapi import FastAPI, Response

from containers import DeclarativeContainer, Provide, inject, providers
from containers.integrations.fastapi import setup

if TYPE_CHECKING:
    from tests.benchmarks.container_shapes import (
        L1,
        L2,
        L3,
        L4,
        M1,
        M2,
        Built,
        Clock,
        Handler,
        RepoA,
        RepoB,
        Root,
        Service,
        Session,
        Settings,
        agen_session,
        answer,
        check_handler,
        gen_session,
        is_,
        is_pair,
        many_classes,
        peer,
    )


@peer("switchgear", None, "from containers import DeclarativeContainer, Provide, inject, providers")
class Switchgear:
    #: An application holds its container as long as it runs, and so do the rows.
    wired: ClassVar[list[Any]] = []

    def singleton(self) -> Built:
        class C(DeclarativeContainer):
            settings = providers.Singleton(Settings)

        c = C()
        return "sync", lambda: c.settings(), is_(Settings)  # noqa: PLW0108 - as a user spells it

    def transient7(self) -> Built:
        class C(DeclarativeContainer):
            l1 = providers.Factory(L1)
            l2 = providers.Factory(L2)
            l3 = providers.Factory(L3)
            l4 = providers.Factory(L4)
            m1 = providers.Factory(M1, l1, l2)
            m2 = providers.Factory(M2, l3, l4)
            root = providers.Factory(Root, m1, m2)

        c = C()
        return "sync", lambda: c.root(), is_(Root)  # noqa: PLW0108 - as a user spells it

    def scoped(self, session_target: Any) -> Any:
        class C(DeclarativeContainer):
            session = providers.Scoped(session_target)
            repo_a = providers.Scoped(RepoA, session)
            repo_b = providers.Scoped(RepoB, session)
            service = providers.Scoped(Service, repo_a, repo_b)
            handler = providers.Scoped(Handler, service)

        return C()

    def in_scope(self, session_target: Any) -> Built:
        c = self.scoped(session_target)

        def unit() -> Any:
            with c.scope():
                return c.handler()

        return "sync", unit, check_handler

    def scope_sync(self) -> Built:
        return self.in_scope(Session)

    def scope_gen(self) -> Built:
        return self.in_scope(gen_session)

    def scope_async(self) -> Built:
        c = self.scoped(agen_session)

        async def unit() -> Any:
            async with c.scope():
                return await c.handler()

        return "async", unit, check_handler

    def inject_sync(self) -> Built:
        class C(DeclarativeContainer):
            settings = providers.Singleton(Settings)
            clock = providers.Singleton(Clock)

        @inject
        def work(settings: Settings = Provide[C.settings], clock: Clock = Provide[C.clock]) -> Any:
            return settings, clock

        self.wired.append(C().wire())
        return "sync", work, is_pair

    def inject_async(self) -> Built:
        class C(DeclarativeContainer):
            settings = providers.Singleton(Settings)
            clock = providers.Singleton(Clock)

        @inject
        async def work(
            settings: Settings = Provide[C.settings], clock: Clock = Provide[C.clock]
        ) -> Any:
            return settings, clock

        self.wired.append(C().wire())
        return "async", work, is_pair

    def fastapi(self) -> FastAPI:
        class C(DeclarativeContainer):
            settings = providers.Singleton(Settings)
            clock = providers.Singleton(Clock)
            session = providers.Scoped(agen_session)

        app = FastAPI()

        @app.get("/")
        @inject
        async def index(
            settings: Annotated[Settings, Provide[C.settings]],
            clock: Annotated[Clock, Provide[C.clock]],
            session: Annotated[Session, Provide[C.session]],
        ) -> Response:
            return answer(settings, clock, session)

        setup(app, C())
        return app

    def build200(self) -> Built:
        classes = many_classes(200)

        def build() -> Any:
            made: list[Any] = [providers.Singleton(classes[0])]
            for number, cls in enumerate(classes[1:], start=1):
                made.append(providers.Singleton(cls, made[(number - 1) // 2]))
            names = {f"n{number}": provider for number, provider in enumerate(made)}
            bases = (DeclarativeContainer,)
            container: Any = types.new_class("C", bases, {}, lambda body: body.update(names))
            return container().n199()

        return "sync", build, is_(classes[199])
