"""Services whose objects come from providers of a declarative container."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from containers import DeclarativeContainer, DIContainer, ServiceLifetime, providers
from containers.errors import (
    CaptiveServiceError,
    CircularDependencyError,
    ServiceRegistrationError,
    ValidationError,
)
from tests.containers.core.services.models import English, French, Greeter, Plain


class Database: ...


class Session: ...


class Account:
    def __init__(self, session: Session) -> None:
        self.session = session


class Reporter:
    def __init__(self, database: Database) -> None:
        self.database = database


def session() -> Iterator[Session]:
    yield Session()
    ended.append("session")


async def stream() -> AsyncIterator[Plain]:
    yield Plain()
    ended.append("stream")


ended: list[str] = []


class Declared(DeclarativeContainer):
    database = providers.Singleton(Database)
    session = providers.Scoped(session)
    stream = providers.Scoped(stream)
    english: Any = providers.Factory(English)
    french: Any = providers.Factory(French)
    again: Any = providers.Factory(French)


@pytest.fixture
def declared() -> Any:
    ended.clear()
    return Declared()


@pytest.fixture
def services(declared) -> DIContainer:
    services = DIContainer()
    services.add_container(declared)
    return services


def test_a_provider_serves_a_type(declared):
    services = DIContainer()
    services.register_provider(Greeter, declared.english)
    assert isinstance(services.resolve(Greeter), English)


def test_what_is_no_provider_or_does_not_fit_is_refused(declared):
    services = DIContainer()
    with pytest.raises(ServiceRegistrationError, match="Greeter cannot be given by 5"):
        services.register_provider(Greeter, 5)  # type: ignore[arg-type]  # it is no provider
    with pytest.raises(ServiceRegistrationError, match="by a provider of Database, not Greeter"):
        services.register_provider(Greeter, declared.database)


def test_a_container_serves_the_types_of_its_providers(declared, services):
    assert services.resolve(Database) is declared.database()
    assert isinstance(services.resolve(English), English)


def test_several_providers_of_a_type_are_asked_by_their_path(services):
    assert not services.is_registered(French)
    assert isinstance(services.resolve(French, "again"), French)


def test_the_provider_tells_the_lifetime(declared, services):
    told = {one.provider: one.lifetime for one in services.descriptors}
    assert told[declared.database] is ServiceLifetime.SINGLETON
    assert told[declared.session] is ServiceLifetime.SCOPED
    assert told[declared.english] is ServiceLifetime.TRANSIENT


def test_a_scoped_provider_is_asked_in_a_scope_that_ends_with_the_service_scope(services):
    services.register_scoped(Account)
    with services.create_scope() as scope:
        account = scope.resolve(Account)
        assert account.session is scope.resolve(Session)
        with services.create_scope() as other:
            assert other.resolve(Session) is not account.session
        assert ended == ["session"]
    assert ended == ["session", "session"]


async def test_an_async_provider_is_awaited(services):
    async with services.create_scope() as scope:
        assert await scope.aresolve(Plain) is await scope.aresolve(Plain)
    assert ended == ["stream"]


def test_a_scoped_provider_is_refused_outside_a_scope(services):
    with pytest.raises(CaptiveServiceError, match="scoped 'Session' was asked outside a scope"):
        services.resolve(Session)


def test_inside_a_scope_of_the_container_that_scope_is_asked():
    class Both(DeclarativeContainer):
        session = providers.Scoped(session)
        services = providers.Services(DIContainer)

    both = Both()
    both.services().container.add_container(both)
    both.services().container.register_scoped(Account)
    with both.scope():
        assert both.services().resolve(Account).session is both.session()


def test_a_service_scope_and_the_scope_it_opens_end_as_one():
    class Both(DeclarativeContainer):
        services = providers.Services(DIContainer)
        session = providers.Scoped(session)
        uses = providers.Scoped(Account, services.of(Greeter))

    both = Both()
    services = both.services().container
    services.add_container(both)
    services.register_scoped(Greeter, English)
    with services.create_scope() as scope:
        assert scope.resolve(Account).session is scope.resolve(Greeter)


def test_a_keyed_provider_of_an_open_scope_needs_no_container(declared):
    services = DIContainer()
    services.register_provider(Session, declared.session)
    with declared.scope(), services.create_scope() as scope:
        assert scope.resolve(Session) is declared.session()


def test_an_override_of_the_container_reaches_services_that_were_built(declared, services):
    services.register_singleton(Reporter)
    before, fake = services.resolve(Reporter), Database()
    with declared.override(database=fake):
        assert services.resolve(Reporter).database is fake
        assert services.resolve(Reporter) is services.resolve(Reporter)
    assert services.resolve(Reporter) is before


def test_an_override_of_the_container_leaves_other_services_alone(declared, services):
    services.register_singleton(Greeter, English)
    before = services.resolve(Greeter)
    with declared.override(database=Database()):
        assert services.resolve(Greeter) is before


def test_a_singleton_that_would_keep_a_scoped_provider_is_told(services):
    services.register_singleton(Account)
    with pytest.raises(ValidationError, match="captive: Account -> Session") as caught:
        services.check()
    assert caught.value.problems[0].code == "captive"
    with pytest.raises(CaptiveServiceError, match="would keep scoped 'Session' alive"):
        services.resolve(Account)


def test_a_singleton_is_told_of_what_a_factory_would_keep(declared):
    services = DIContainer()
    services.register_provider(Account, providers.Factory(Account, declared.session))
    services.register_factory(Plain, keeps)
    with pytest.raises(ValidationError, match="Plain -> Account -> session"):
        services.check()


def keeps(_account: Account) -> Plain:
    raise AssertionError


class Hen:
    def __init__(self, egg: "Egg") -> None: ...


class Egg:
    def __init__(self, hen: Hen) -> None: ...


class Farm(DeclarativeContainer):
    services = providers.Services(DIContainer)
    hen = providers.Singleton(Hen, services.of(Egg))


def test_a_circle_across_the_border_is_told_on_both_sides():
    farm = Farm()
    services = farm.services().container
    services.add_container(farm)
    services.register_singleton(Egg)
    with pytest.raises(CircularDependencyError, match="Egg -> Hen -> Egg"):
        services.resolve(Egg)
    for check in (services.check, farm.check):
        with pytest.raises(ValidationError) as caught:
            check()
        assert {problem.code for problem in caught.value.problems} == {"cycle"}


def test_a_provider_of_anything_may_serve_any_type():
    def make() -> Any:
        return English()

    services = DIContainer()
    services.register_provider(Greeter, providers.Factory(make))
    assert isinstance(services.resolve(Greeter), English)
