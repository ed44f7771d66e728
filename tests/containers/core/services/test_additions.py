"""What the conformance list does not ask: async factories, errors in bodies, overrides, paths."""
# ruff: noqa: N802 - a test is named by its id in the list

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import SimpleNamespace

import pytest

from containers.core.services import DIContainer, ServiceLifetime, ServiceProvider
from containers.errors import (
    CaptiveServiceError,
    CircularDependencyError,
    OverrideTypeError,
    ServiceCreationError,
    ServiceError,
    ServiceNotRegisteredError,
)
from infrastructure.component import Component
from tests.containers.core.services.models import (
    English,
    First,
    French,
    Greeter,
    NeedsPlain,
    Plain,
    Second,
)

Log = list[str]


@pytest.fixture
def container() -> DIContainer:
    return DIContainer()


class Gate:
    """An async factory that waits until it may go on, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.entered = asyncio.Event()
        self.may_go = asyncio.Event()

    async def make(self) -> Plain:
        self.calls += 1
        self.entered.set()
        await self.may_go.wait()
        return Plain()


async def test_A01_an_async_factory_runs_once_under_concurrency(container):
    gate = Gate()
    container.register_factory(Plain, gate.make)
    tasks = [asyncio.create_task(container.aresolve(Plain)) for _ in range(64)]
    await gate.entered.wait()
    gate.may_go.set()
    assert len(set(await asyncio.gather(*tasks))) == gate.calls == 1


async def test_A02_a_cancelled_waiter_poisons_nothing(container):
    gate = Gate()
    container.register_factory(Plain, gate.make)
    first, second = (asyncio.create_task(container.aresolve(Plain)) for _ in range(2))
    await gate.entered.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.may_go.set()
    assert await second is container.resolve(Plain)
    assert gate.calls == 1


async def test_A02_a_scoped_object_whose_maker_is_cancelled_is_made_by_the_next(container):
    gate = Gate()
    container.register_factory(Plain, gate.make, ServiceLifetime.SCOPED)
    async with container.create_scope() as scope:
        first, second = (asyncio.create_task(scope.aresolve(Plain)) for _ in range(2))
        await gate.entered.wait()
        first.cancel()
        gate.may_go.set()
        assert isinstance(await second, Plain)
        assert first.cancelled()


def session(log: Log) -> Iterator[Plain]:
    try:
        yield Plain()
        log.append("commit")
    except KeyError:
        log.append("rollback")
        raise


async def async_session(log: Log) -> AsyncIterator[Plain]:
    try:
        yield Plain()
        log.append("commit")
    except KeyError:
        log.append("rollback")
        raise


@pytest.mark.parametrize("factory", [session, contextmanager(session)])
def test_A03_an_exception_of_the_body_is_thrown_into_generators(container, factory):
    log: Log = []
    container.register_instance(Log, log)
    container.register_factory(Plain, factory, ServiceLifetime.SCOPED)
    with container.create_scope() as scope:
        scope.resolve(Plain)
    with pytest.raises(KeyError), container.create_scope() as scope:
        assert isinstance(scope.resolve(Plain), Plain)
        raise KeyError
    assert log == ["commit", "rollback"]


@pytest.mark.parametrize("factory", [async_session, asynccontextmanager(async_session)])
async def test_A03_an_exception_of_the_body_is_thrown_into_async_generators(container, factory):
    log: Log = []
    container.register_instance(Log, log)
    container.register_factory(Plain, factory, ServiceLifetime.SCOPED)
    async with container.create_scope() as scope:
        await scope.aresolve(Plain)
    with pytest.raises(KeyError):
        async with container.create_scope() as scope:
            assert isinstance(await scope.aresolve(Plain), Plain)
            raise KeyError
    assert log == ["commit", "rollback"]


def test_A04_what_was_made_before_a_failure_ends_with_the_scope(container):
    def fail(first: First) -> Second:
        raise ValueError("the disk is full")

    log: Log = []
    container.register_instance(Log, log)
    container.register_scoped(First)
    container.register_factory(Second, fail, ServiceLifetime.SCOPED)
    with container.create_scope() as scope:
        with pytest.raises(ValueError, match=r"^the disk is full$"):
            scope.resolve(Second)
        assert log == []
    assert log == ["first"]


def test_A04_every_object_ends_although_one_fails_to(container):
    class Failing:
        def __init__(self, first: First) -> None: ...

        def close(self) -> None:
            raise ValueError("stuck")

    log: Log = []
    container.register_instance(Log, log)
    container.register_scoped(First)
    container.register_scoped(Failing)
    with (
        pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="stuck")),
        container.create_scope() as scope,
    ):
        scope.resolve(Failing)
    assert log == ["first"]


def test_A05_an_override_reaches_what_was_built_and_leaves_no_trace(container):
    class Speaker:
        def __init__(self, greeter: Greeter) -> None:
            self.greeter = greeter

    container.register_singleton(Greeter, English)
    container.register_singleton(Speaker)
    container.register_singleton(Plain)
    before, plain, fake = container.resolve(Speaker), container.resolve(Plain), French()
    with container.override(Greeter, fake):
        assert container.resolve(Speaker).greeter is container.resolve(Greeter) is fake
        assert container.resolve(list[Greeter]) == [fake]
        assert container.resolve(Plain) is plain
    assert container.resolve(Speaker) is before


async def test_A05_an_isolated_override_is_seen_by_its_own_task_only(container):
    async def overridden(fake: Greeter) -> bool:
        with container.override(Greeter, fake, isolated=True):
            await meeting.wait()
            return container.resolve(Greeter) is fake

    meeting = asyncio.Barrier(2)
    container.register_singleton(Greeter, English)
    own = container.resolve(Greeter)
    assert await asyncio.gather(*(overridden(French()) for _ in range(2))) == [True, True]
    assert container.resolve(Greeter) is own


def test_A05_an_isolated_override_is_not_seen_by_other_threads(container):
    container.register_singleton(Greeter, English)
    seen: list[str] = []
    with container.override(Greeter, French(), isolated=True):
        thread = threading.Thread(target=lambda: seen.append(container.resolve(Greeter).greet()))
        thread.start()
        thread.join()
    assert seen == ["hello"]


def test_A05_what_was_built_under_an_override_ends_with_it(container):
    log: Log = []
    container.register_instance(Log, [])
    container.register_singleton(First)
    with container.override(Log, log):
        assert container.resolve(First).log is log
    assert log == ["first"]


def test_A05_a_stand_in_must_fit_and_stand_for_something(container):
    container.register_singleton(Greeter, English)
    with pytest.raises(OverrideTypeError, match="the stand-in for Greeter is Plain, not Greeter"):
        container.override(Greeter, Plain())
    with pytest.raises(ServiceNotRegisteredError, match="'Plain' is not registered"):
        container.override(Plain, Plain())


class Egg:
    def __init__(self, hen: "Hen") -> None: ...


class Hen:
    def __init__(self, nest: "Nest") -> None: ...


class Nest:
    def __init__(self, eggs: list[Egg]) -> None: ...


def test_A06_a_cycle_is_told_with_its_path_before_anything_is_made(container):
    for service in (Egg, Hen, Nest):
        container.register_singleton(service)
    with pytest.raises(
        CircularDependencyError, match="'Hen' needs itself: Hen -> Nest -> Egg -> Hen"
    ):
        container.resolve(Hen)


@pytest.mark.parametrize("lifetime", list(ServiceLifetime))
async def test_A06_a_cycle_through_factories_is_told_with_its_path(container, lifetime):
    async def egg(provider: ServiceProvider) -> Egg:
        return Egg(await provider.aresolve(Hen))

    async def hen(provider: ServiceProvider) -> Hen:
        await provider.aresolve(Egg)
        raise AssertionError

    container.register_factory(Egg, egg, lifetime)
    container.register_factory(Hen, hen, lifetime)
    async with container.create_scope() as scope:
        with pytest.raises(CircularDependencyError, match="Egg -> Hen -> Egg"):
            await scope.aresolve(Egg)


def test_A06_a_cycle_through_plain_factories_is_told_with_its_path(container):
    container.register_factory(Plain, lambda provider: provider.resolve(NeedsPlain).plain)
    container.register_singleton(NeedsPlain)
    with pytest.raises(CircularDependencyError, match="Plain -> NeedsPlain -> Plain"):
        container.resolve(Plain)


def test_A07_a_singleton_that_would_keep_a_scoped_service_is_told_with_the_path(container):
    class Service:
        def __init__(self, greeter: Greeter, needs: NeedsPlain) -> None: ...

    made: Log = []
    container.register_factory(Greeter, lambda: made.append("greeter"))
    container.register_scoped(Plain)
    container.register_transient(NeedsPlain)
    container.register_singleton(Service)
    told = "singleton 'Service' would keep scoped 'Plain' alive: Service -> NeedsPlain -> Plain"
    with container.create_scope() as scope, pytest.raises(CaptiveServiceError, match=told):
        scope.resolve(Service)
    assert made == []


def test_A07_a_singletons_factory_gets_no_scoped_service_either(container):
    container.register_scoped(Plain)
    container.register_factory(NeedsPlain, lambda provider: NeedsPlain(provider.resolve(Plain)))
    told = "singleton 'NeedsPlain' would keep scoped 'Plain' alive: NeedsPlain -> Plain"
    with container.create_scope() as scope, pytest.raises(CaptiveServiceError, match=told):
        scope.resolve(NeedsPlain)


def test_a_transient_that_needs_a_scoped_service_is_refused_outside_a_scope(container):
    container.register_scoped(Plain)
    container.register_transient(NeedsPlain)
    with pytest.raises(CaptiveServiceError, match="outside a scope: NeedsPlain -> Plain"):
        container.resolve(NeedsPlain)


async def test_what_is_made_after_the_end_ends_at_once(container):
    async def make() -> First:
        entered.set()
        await may_go.wait()
        return First(log)

    log: Log = []
    entered, may_go = asyncio.Event(), asyncio.Event()
    container.register_factory(First, make)
    late = asyncio.create_task(container.aresolve(First))
    await entered.wait()
    await container.aclose()
    may_go.set()
    with pytest.raises(ServiceError, match="the container was asked after its end"):
        await late
    assert log == ["first"]


async def test_a_class_is_made_and_never_entered(container):
    container.register_singleton(threading.Semaphore)
    container.register_factory(asyncio.Semaphore, partial(asyncio.Semaphore, 2))
    assert container.resolve(threading.Semaphore).acquire(blocking=False)
    assert not container.resolve(asyncio.Semaphore).locked()


def test_a_failed_build_can_be_tried_again(container):
    failures = iter([True])

    def make() -> Plain:
        if next(failures, False):
            raise ValueError("down")
        return Plain()

    container.register_factory(Plain, make)
    with pytest.raises(ValueError, match="down"):
        container.resolve(Plain)
    assert container.resolve(Plain) is container.resolve(Plain)


async def test_a_plain_call_for_something_async_says_what_to_do(container):
    async def make() -> Plain:
        return Plain()

    container.register_factory(Plain, make)
    container.register_transient(NeedsPlain)
    told = r"'Plain' is made by an async factory \(NeedsPlain -> Plain\). Use `await aresolve"
    with pytest.raises(ServiceCreationError, match=told):
        container.resolve(NeedsPlain)
    plain = await container.aresolve(Plain)
    assert container.resolve(NeedsPlain).plain is plain


def test_a_plain_factory_that_returns_a_coroutine_is_refused(container):
    async def make() -> Plain:
        return Plain()

    container.register_factory(Plain, lambda: make())  # noqa: PLW0108 - it hides that it is async
    with pytest.raises(ServiceCreationError, match="the factory of 'Plain' returned a coroutine"):
        container.resolve(Plain)


async def test_objects_that_end_by_awaiting_are_awaited():
    class Pool:
        def __init__(self) -> None:
            self.ended: Log = []

        def close(self) -> None:
            self.ended.append("close")

        async def aclose(self) -> None:
            self.ended.append("aclose")

    async with DIContainer() as container:
        container.register_scoped(Pool)
        with container.create_scope() as scope:
            plain = scope.resolve(Pool)
        async with container.create_scope() as scope:
            awaited = scope.resolve(Pool)
    assert (plain.ended, awaited.ended) == (["close"], ["aclose"])


async def test_a_plain_scope_tells_what_it_cannot_end(container):
    class Pool:
        async def close(self) -> None: ...

    container.register_scoped(Pool)
    container.register_factory(Plain, async_session, ServiceLifetime.SCOPED)
    container.register_instance(Log, [])
    told = pytest.RaisesExc(ServiceError, match="'Pool' can only be ended by")
    with pytest.RaisesGroup(told), container.create_scope() as scope:
        scope.resolve(Pool)
    refused = pytest.raises(ServiceCreationError, match="Open it by `async with`")
    with container.create_scope() as scope, refused:
        await scope.aresolve(Plain)


async def test_a_component_is_disconnected():
    settings = SimpleNamespace(kind="client", connect_timeout_seconds=5)

    class Client(Component):
        async def _open(self) -> None: ...

        async def _close(self) -> None:
            log.append("closed")

        async def _ping(self) -> str:
            return "here"

    log: Log = []
    async with DIContainer() as container:
        container.register_factory(Client, lambda: Client(settings))
        await container.resolve(Client).connect()
    assert log == ["closed"]
