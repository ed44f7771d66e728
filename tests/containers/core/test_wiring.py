"""Injected parameters are filled, or the error says where; a marker never reaches the function."""

import functools
import gc
import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from dependency_injector import providers as plain
from dependency_injector.wiring import DIWiringWarning
from dependency_injector.wiring import Provider as ProviderMarker

from containers import (
    Closing,
    DeclarativeContainer,
    Provide,
    as_int,
    inject,
    provided,
    providers,
    required,
)
from containers.errors import WiringError
from tests.containers.core import postponed


class Service:
    name = "service"


LOG: list[str] = []


async def session() -> AsyncIterator[str]:
    LOG.append("open")
    yield "session"
    LOG.append("commit")


def sync_session() -> Iterator[str]:
    LOG.append("open")
    try:
        yield "session"
        LOG.append("commit")
    except BaseException:
        LOG.append("rollback")
        raise


class Inner(DeclarativeContainer):
    service = providers.Singleton(Service)


class Container(DeclarativeContainer):
    config = providers.Configuration()
    service = providers.Singleton(Service)
    inner = providers.Container(Inner)
    session = providers.Scoped(session)
    sync_session = providers.Scoped(sync_session)


class Other(DeclarativeContainer):
    service = providers.Singleton(Service)
    only_here = providers.Object("other")


#: One process has them all, one after the other.
pytestmark = pytest.mark.xdist_group("wiring")


@pytest.fixture(scope="module", autouse=True)
def _nothing_wired_before() -> None:
    """Containers that other tests have wired and dropped are gone."""
    gc.collect()


@pytest.fixture
def wire() -> Iterator[Callable[..., Any]]:
    """Wire containers, and take it back at the end."""
    LOG.clear()
    wired: list[Any] = []

    def add(container: Any, **options: Any) -> Any:
        wired.append(container)
        return container.wire(**options)

    yield add
    for container in wired:
        container.unwire()


def test_every_kind_of_marker_is_filled(wire):
    @inject
    def call(
        by_class: Service = Provide[Container.service],
        by_name: Service = Provide["service"],
        nested: Service = Provide["inner.service"],
        nested_class: Service = Provide[Container.inner.service],
        attribute: str = Provide["service", provided().name],
        by_provided: str = Provide[Container.service.provided.name],
        port: int = Provide["config.port", as_int()],
        needed: str = Provide["config.port", required()],
        provider: Any = ProviderMarker["service"],
        whole: Any = Provide["<container>"],
    ) -> tuple[Any, ...]:
        return (
            by_class,
            by_name,
            nested,
            nested_class,
            attribute,
            by_provided,
            port,
            needed,
            provider,
            whole,
        )

    container = wire(Container())
    container.config.from_dict({"port": "6379"})
    service, inner = container.service(), container.inner.service()
    assert call() == (
        *(service, service, inner, inner, "service", "service"),
        *(6379, "6379", container.service, container),
    )


def test_annotated_markers_are_filled(wire):
    @inject
    def call(a: int, service: Annotated[Service, Provide["service"]]) -> tuple[int, Service]:
        return a, service

    container = wire(Container())
    assert call(1) == (1, container.service())  # type: ignore[call-arg]  # it is injected


def test_postponed_annotations_are_understood(wire):
    container = wire(postponed.Container())
    assert postponed.handler(1) == (1, container.service())  # type: ignore[call-arg]  # injected


def test_what_the_caller_gives_wins(wire):
    @inject
    def call(first: object = Provide["service"], second: object = Provide["service"]) -> Any:
        return first, second

    container = wire(Container())
    assert call(1) == (1, container.service())
    assert call(second=2) == (container.service(), 2)


def test_injected_parameters_are_hidden_from_frameworks():
    @inject
    def call(a: int, service: Service = Provide["service"], *, b: str = "b") -> None: ...

    assert str(inspect.signature(call)) == "(a: int, *, b: str = 'b') -> None"
    assert set(call.__annotations__) == {"a", "b", "return"}


async def test_async_functions_and_generators_keep_their_kind(wire):
    @inject
    async def call(service: Service = Provide["service"]) -> Service:
        return service

    @inject
    def generate(service: Service = Provide["service"]) -> Iterator[Service]:
        yield service

    @inject
    async def stream(service: Service = Provide["service"]) -> AsyncIterator[Service]:
        yield service

    service = wire(Container()).service()
    assert await call() is service
    assert list(generate()) == [service]
    assert [one async for one in stream()] == [service]
    assert inspect.iscoroutinefunction(call)
    assert inspect.isgeneratorfunction(generate)
    assert inspect.isasyncgenfunction(stream)


def test_methods_and_classes_are_injected(wire):
    @inject
    class Handler:
        def __init__(self, service: Service = Provide["service"]) -> None:
            self.service = service

        @inject
        def method(self, service: Service = Provide["service"]) -> Service:
            return service

        @classmethod
        @inject
        def of_class(cls, service: Service = Provide["service"]) -> Service:
            return service

        @inject
        @staticmethod
        def static(service: Service = Provide["service"]) -> Service:
            return service

    service = wire(Container()).service()
    handler = Handler()
    assert handler.service is handler.method() is Handler.of_class() is Handler.static() is service


def test_functions_decorated_after_wiring_are_filled(wire):
    container = wire(Container())

    def make() -> Callable[[], Service]:
        @inject
        def late(service: Service = Provide["service"]) -> Service:
            return service

        return late

    assert make()() is container.service()


def test_without_wiring_the_error_says_where_and_what_to_do():
    @inject
    def call(service: Service = Provide["service"]) -> Service:
        return service

    with pytest.raises(WiringError, match=r"test_wiring\.py:\d+: 'service' of .*wire\(\)"):
        call()


def test_an_unknown_name_is_an_error_at_wiring_with_file_and_line(wire):
    @inject
    def call(service: Service = Provide["servce"]) -> Service:
        return service

    with pytest.raises(WiringError, match=r"test_wiring\.py:\d+: 'service' of .*servce"):
        wire(Container())
    with pytest.raises(WiringError, match="no container is wired"):
        call()


def test_a_marker_of_another_containers_class_waits_for_that_container(wire):
    @inject
    def call(
        mine: Service = Provide[Container.service], its: Any = Provide[Other.only_here]
    ) -> Any:
        return mine, its

    container = wire(Container())
    wire(Other())
    assert call() == (container.service(), "other")


def test_the_container_wired_last_answers_a_name_and_unwiring_restores_the_first(wire):
    @inject
    def call(service: Service = Provide["service"]) -> Service:
        return service

    first, second = wire(Container()), wire(Other())
    assert call() is second.service()
    second.unwire()
    assert call() is first.service()


def test_named_modules_come_before_a_bare_wire(wire):
    @inject
    def call(service: Service = Provide["service"]) -> Service:
        return service

    first = wire(Container(), modules=[__name__])
    wire(Other())
    assert call() is first.service()


def test_wiring_gives_the_container_back(wire):
    container = Container()
    assert wire(container) is container


async def test_an_async_object_is_awaited_for_an_async_function(wire):
    @inject
    async def call(opened: str = Closing[Provide["session"]]) -> str:
        LOG.append("body")
        return opened

    wire(Container())
    assert await call() == "session"
    assert LOG == ["open", "body", "commit"]


def test_an_async_object_in_a_plain_function_is_an_error(wire):
    @inject
    def call(opened: str = Provide["session"]) -> str:
        return opened

    with pytest.raises(WiringError, match=r"test_wiring\.py:\d+: 'opened' .*async def"):
        wire(Container())


def test_the_exception_of_the_body_reaches_what_closing_opened(wire):
    @inject
    def call(opened: str = Closing[Provide["sync_session"]]) -> str:
        raise ValueError(opened)

    wire(Container())
    with pytest.raises(ValueError, match="session"):
        call()
    assert LOG == ["open", "rollback"]


def test_closing_waits_for_the_end_of_a_generator(wire):
    @inject
    def generate(opened: str = Closing[Provide["sync_session"]]) -> Iterator[str]:
        LOG.append("body")
        yield opened

    wire(Container())
    assert list(generate()) == ["session"]
    assert LOG == ["open", "body", "commit"]


def test_a_function_without_markers_is_left_alone_with_a_warning():
    def call(a: int) -> int:
        return a

    with pytest.warns(DIWiringWarning):
        assert inject(call) is call


def test_an_annotation_that_cannot_be_evaluated_is_an_error_at_decoration():
    def call(service: "Annotated[Missing, Provide['service']]") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - that is the point

    with pytest.raises(WiringError, match=r"test_wiring\.py:\d+.*'service'.*Missing"):
        inject(call)


def test_overrides_reach_injected_functions(wire):
    class Stand(Service):
        name = "stand-in"

    @inject
    def call(service: Service = Provide["service"]) -> str:
        return service.name

    container = wire(Container())
    with container.override(service=Stand()):
        assert call() == "stand-in"
    assert call() == "service"


def test_closing_parameters_share_one_scope_with_all_others(wire):
    @inject
    def call(
        plain: str = Provide["sync_session"],
        first: str = Closing[Provide["sync_session"]],
        second: str = Closing[Provide["sync_session"]],
    ) -> bool:
        return plain is first is second

    wire(Container())
    assert call()
    assert LOG == ["open", "commit"]


def test_closing_ends_resources_in_reverse_and_once(wire):
    def resource(name: str, *_: object) -> Iterator[str]:
        LOG.append(f"+{name}")
        yield name
        LOG.append(f"-{name}")

    class Chain(DeclarativeContainer):
        a = plain.Resource(resource, "a")
        b = plain.Resource(resource, "b", a)
        scope = providers.Object("a provider of that name does not disturb")

    @inject
    def call(a: str = Closing[Provide["a"]], b: str = Closing[Provide["b"]]) -> None: ...

    wire(Chain())
    call()
    assert LOG == ["+a", "+b", "-b", "-a"]


async def test_what_is_sent_and_thrown_reaches_an_async_generator(wire):
    @inject
    async def stream(service: Service = Provide["service"]) -> AsyncGenerator[Any, Any]:
        try:
            LOG.append((yield "first"))
            yield "second"
        except ValueError:
            yield "caught"
        finally:
            LOG.append("ended")

    wire(Container())
    items = stream()
    assert await anext(items) == "first"
    assert await items.asend("sent") == "second"
    assert await items.athrow(ValueError()) == "caught"
    await items.aclose()
    assert LOG == ["sent", "ended"]


def test_a_positional_only_parameter_cannot_be_injected():
    def call(service: Service = Provide["service"], /) -> None: ...

    with pytest.raises(WiringError, match=r"'service' is positional-only"):
        inject(call)


def test_an_unknown_annotation_whose_name_contains_a_markers_is_left_alone(wire):
    @inject
    def call(
        model: "LanguageProvider",  # type: ignore[name-defined]  # noqa: F821 - that is the point
        service: Service = Provide["service"],
    ) -> Any:
        return model, service

    container = wire(Container())
    assert call(1) == (1, container.service())


def test_an_unfilled_partial_is_named_in_the_error():
    def call(a: int, service: Service = Provide["service"]) -> None: ...

    with pytest.raises(WiringError, match=r"partial.*no container is wired"):
        inject(functools.partial(call, 1))()


def test_an_unwired_container_is_let_go():
    @inject
    def call(service: Service = Provide["service"]) -> Service:
        return service

    container = Container().wire()
    call()
    container.unwire()
    gone = weakref.ref(container)
    del container
    gc.collect()
    assert gone() is None


def test_a_provider_added_to_a_container_is_wired_and_overridden(wire):
    container = Container()
    container.added = providers.Object("added")

    @inject
    def call(added: str = Provide["added"]) -> str:
        return added

    wire(container)
    assert call() == "added"
    with container.override({container.added: "other"}):
        assert call() == "other"


def test_a_function_that_was_filled_does_not_stop_the_wiring_of_another_container(wire):
    class Other(DeclarativeContainer):
        unrelated = providers.Object(1)

    @inject
    def call(added: str = Provide["added"]) -> str:
        return added

    first = Container()
    first.added = providers.Object("added")
    first.wire()
    assert call() == "added"
    first.unwire()
    wire(Other())
    with pytest.raises(WiringError, match=r"test_wiring\.py:\d+: 'added' of .*no wired container"):
        call()


def test_a_function_that_nothing_ever_filled_stops_it_and_a_near_name_is_offered():
    @inject
    def call(added: str = Provide["addde"]) -> str:
        return added

    container = Container()
    container.added = providers.Object("added")
    with pytest.raises(WiringError, match=r"'added' of .*\(did you mean 'added'\?\)"):
        container.wire()
    assert call is not None  # it is alive until here
