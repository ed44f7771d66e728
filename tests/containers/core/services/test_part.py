"""Type-keyed services as a part of a declarative container."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from containers import DeclarativeContainer, DIContainer, Provide, inject, providers
from containers.errors import NoActiveScopeError, OverrideTypeError, ValidationError
from tests.containers.core.services.models import NeedsPlain, Plain

Log = list[str]


class Session:
    pass


class Repository:
    def __init__(self, session: Session) -> None:
        self.session = session


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held


def registered() -> DIContainer:
    services = DIContainer()
    services.register_singleton(Plain)
    services.register_transient(NeedsPlain)
    services.register_scoped(Session)
    services.register_scoped(Repository)
    return services


class Parted(DeclarativeContainer):
    services = providers.Services(registered)
    keeps = providers.Singleton(Holder, services.of(Plain))
    works = providers.Scoped(Holder, services.of(Repository))
    makes: Any = providers.Factory(Holder, services.of(NeedsPlain))


PLAIN = Parted.services.of(Plain)


@pytest.fixture
def container() -> Any:
    return Parted()


def test_a_part_resolves_by_type(container):
    assert container.services().resolve(Plain) is container.services().resolve(Plain)
    assert container.services().is_registered(Plain)


def test_services_are_injected_into_providers(container):
    assert container.keeps().held is container.services().resolve(Plain)
    assert container.makes().held is not container.makes().held


def test_a_factory_gives_each_container_its_own_and_an_instance_is_shared():
    shared = registered()

    class Sharing(DeclarativeContainer):
        services = providers.Services(shared)

    assert Parted().services().container is not Parted().services().container
    assert Sharing().services().container is Sharing().services().container is shared


def test_the_provider_of_a_service_is_one(container):
    assert container.services.of(Plain) is container.services.of(Plain)
    assert container.services.of(Plain, "key") is not container.services.of(Plain)


def test_services_are_injected_into_functions_by_name(container):
    @inject
    def handle(plain: Plain = Provide["services.Plain"]) -> Plain:
        return plain

    container.wire()
    assert handle() is container.services().resolve(Plain)
    container.unwire()


def test_services_are_injected_into_functions_by_provider(container):
    @inject
    def handle(plain: Plain = Provide[PLAIN]) -> Plain:
        return plain

    container.wire()
    assert handle() is container.services().resolve(Plain)
    container.unwire()


def test_one_scope_is_one_service_scope(container):
    with container.scope():
        first = container.works().held
        assert container.services().resolve(Repository) is first
        assert container.services.of(Session)() is first.session
        with container.scope():
            assert container.works().held is not first
        assert container.works().held is first


def test_a_service_of_no_scope_is_an_error(container):
    with pytest.raises(NoActiveScopeError, match="scoped 'Session' was asked outside a scope"):
        container.services.of(Session)()


def ending(log: Log, name: str, value: Any) -> Iterator[Any]:
    try:
        yield value
    except KeyError:
        log.append(f"{name} failed")
        raise
    log.append(name)


def test_services_and_scoped_providers_end_in_reverse_order_of_creation():
    log: Log = []
    services = DIContainer()
    services.register_factory(str, generated_by(log, "first"), "scoped")
    services.register_factory(int, generated_by(log, "last"), "scoped")

    class Mixed(DeclarativeContainer):
        part = providers.Services(services)
        own = providers.Scoped(generated_by(log, "own"))

    container = Mixed()
    with container.scope():
        container.part.of(str)()
        container.own()
        container.part().resolve(int)
    assert log == ["last", "own", "first"]


def generated_by(log: Log, name: str) -> Any:
    def generated() -> Iterator[str]:
        yield from ending(log, name, name)

    return generated


def test_the_bodys_error_is_thrown_into_services():
    log: Log = []
    services = DIContainer()
    services.register_factory(str, generated_by(log, "session"), "scoped")

    class Parts(DeclarativeContainer):
        part = providers.Services(services)

    container = Parts()
    with pytest.raises(KeyError), container.scope():
        assert container.part().resolve(str) == "session"
        raise KeyError
    assert log == ["session failed"]


def test_a_scope_that_asks_for_no_service_opens_none(container):
    with container.scope() as scope:
        assert scope.endings is None
        container.services().resolve(Plain)
        assert container.services.scope_provider() is container.services.asker()


class Closing:
    def __init__(self, log: Log) -> None:
        self.log = log

    def close(self) -> None:
        self.log.append("closed")


class AsyncClosing(Closing):
    async def aclose(self) -> None:
        self.log.append("awaited")


def closing(cls: type[Closing], log: Log) -> Any:
    services = DIContainer()
    services.register_instance(Log, log)
    services.register_singleton(cls)

    class Parts(DeclarativeContainer):
        part = providers.Services(services)

    return Parts()


def test_singletons_end_with_the_container_and_can_be_made_again():
    log: Log = []
    container = closing(Closing, log)
    for _ in range(2):
        with container:
            container.part().resolve(Closing)
    assert log == ["closed", "closed"]


async def test_singletons_that_end_by_awaiting_are_awaited():
    log: Log = []
    async with closing(AsyncClosing, log) as container:
        container.part().resolve(AsyncClosing)
    assert log == ["awaited"]


async def test_async_services_are_awaited_in_async_providers():
    async def session() -> AsyncIterator[Session]:
        yield Session()
        log.append("ended")

    log: Log = []
    services = DIContainer()
    services.register_factory(Session, session, "scoped")

    class Parts(DeclarativeContainer):
        part = providers.Services(services)
        works = providers.Scoped(Holder, part.of(Session))

    container: Any = Parts()
    async with container.scope() as scope:
        held = (await scope.aget("works")).held
        assert held is await container.part().aresolve(Session)
        assert held is await container.part.of(Session)()
    assert log == ["ended"]


def test_an_override_of_a_service_reaches_what_depends_on_it(container):
    before, fake = container.keeps(), Plain()
    with container.override({container.services.of(Plain): fake}):
        assert container.keeps().held is fake
    assert container.keeps() is before


def test_an_override_of_a_service_is_seen_by_services(container):
    services, fake = container.services(), Plain()
    services.container.register_singleton(Holding)
    before = services.resolve(Holding)
    with container.override({container.services.of(Plain): fake}):
        assert services.resolve(Plain) is services.resolve(NeedsPlain).plain is fake
        assert services.resolve(Holding).plain is fake
        assert services.resolve(Holding) is services.resolve(Holding)
        assert services.resolve(list[Plain]) == [fake]
    assert services.resolve(Holding) is before


def test_an_override_of_a_scoped_service_is_seen_in_its_scope(container):
    fake = Session()
    with container.override({container.services.of(Session): fake}), container.scope():
        assert container.works().held.session is fake
    with container.scope():
        assert container.works().held.session is not fake


async def test_an_isolated_override_of_a_service_is_seen_by_its_own_task_only(container):
    async def overridden(fake: Plain) -> bool:
        plain = container.services.of(Plain)
        with container.override({plain: fake}, isolated=True):
            await meeting.wait()
            return container.services().resolve(Plain) is fake

    meeting = asyncio.Barrier(2)
    assert await asyncio.gather(*(overridden(Plain()) for _ in range(2))) == [True, True]


def test_what_services_made_under_an_override_goes_with_it(container):
    services, fake = container.services(), Plain()
    services.container.register_singleton(Holding)
    with container.override({container.services.of(Plain): fake}):
        built = weakref.ref(services.resolve(Holding))
    services.resolve(Holding)
    gc.collect()
    assert built() is None


class Holding:
    def __init__(self, plain: Plain) -> None:
        self.plain = plain


def test_an_override_of_a_service_must_fit(container):
    class Port:
        def run(self) -> None: ...

    container.services().container.register_singleton(Port)
    with pytest.raises(OverrideTypeError, match="it has no run"):
        container.override({container.services.of(Port): Plain()})


def test_a_singleton_that_would_keep_a_scoped_service_is_told():
    class Captive(Parted):
        captive = providers.Singleton(Holder, Parted.services.of(Repository))

    with pytest.raises(ValidationError) as caught:
        Captive().check()
    assert {problem.code for problem in caught.value.problems} == {"captive"}
    assert caught.value.problems[0].path[:2] == ("captive", "Repository")


def test_the_check_of_the_container_checks_the_services():
    def services() -> DIContainer:
        made = DIContainer()
        made.register_singleton(NeedsPlain)
        return made

    class Parts(DeclarativeContainer):
        part = providers.Services(services)
        holds: Any = providers.Factory(Holder, part.of(Session))

    with pytest.raises(ValidationError) as caught:
        Parts().check()
    codes = {problem.code for problem in caught.value.problems}
    assert codes == {"missing-argument", "unset-dependency"}


def test_a_part_tells_its_problems():
    part = providers.Services(DIContainer)
    part.container.register_singleton(NeedsPlain)
    part.of(Session)
    codes = [problem.code for problem in part.problems()]
    assert codes == ["missing-argument", "unset-dependency"]


class Server:
    def __init__(self, log: Log, *_needs: Any) -> None:
        self.log = log

    def start(self) -> None: ...

    def stop(self) -> None:
        self.log.append("stopped")


def test_services_end_before_the_managed_things_they_use():
    class Uses(Closing):
        def __init__(self, log: Log, server: Server) -> None:
            super().__init__(log)

    class Parts(DeclarativeContainer):
        log = providers.Singleton(Log)
        server = providers.Managed(Server, log)
        part = providers.Services(DIContainer)

    container = Parts()
    services = container.part().container
    services.add_container(container)
    services.register_provider(Log, container.log)
    services.register_singleton(Uses)
    with container:
        services.resolve(Uses)
    assert container.log() == ["closed", "stopped"]


def test_services_end_after_the_managed_things_that_use_them():
    log: Log = []
    services = DIContainer()
    services.register_instance(Log, log)
    services.register_singleton(Closing)

    class Parts(DeclarativeContainer):
        part = providers.Services(services)
        server = providers.Managed(Server, part.of(Log), part.of(Closing))

    with Parts():
        pass
    assert log == ["stopped", "closed"]


def test_what_gives_services_ends_after_the_services_though_something_managed_needs_them():
    class Uses(Closing):
        def __init__(self, log: Log, server: Server) -> None:
            super().__init__(log)

    class Parts(DeclarativeContainer):
        part = providers.Services(DIContainer)
        user = providers.Managed(Server, part.of(Log), part.of(Uses))
        log = providers.Singleton(Log)
        server = providers.Managed(Server, log)

    container = Parts()
    services = container.part().container
    services.register_provider(Log, container.log)
    services.register_provider(Server, container.server)
    services.register_singleton(Uses)
    with container:
        pass
    assert container.log() == ["stopped", "closed", "stopped"]


def test_services_and_what_gives_them_may_need_each_other():
    class Parts(DeclarativeContainer):
        part = providers.Services(DIContainer)
        server = providers.Managed(Server, part.of(Log))

    container = Parts()
    services = container.part().container
    services.register_singleton(Log, list)
    services.register_provider(Server, container.server)
    with container:
        assert services.resolve(Server) is container.server()
    assert services.resolve(Log) == []
