"""A declaration is checked as a whole, before anything is made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from dependency_injector import providers as plain

from containers import Container, DeclarativeContainer, Provide, check, inject, providers
from containers.errors import ValidationError


def found(container: Any) -> list[tuple[str, tuple[str, ...]]]:
    with pytest.raises(ValidationError) as caught:
        check(container)
    return sorted((problem.code, problem.path) for problem in caught.value.problems)


class Session: ...


class Reads(Protocol):
    def read(self) -> str: ...


class File:
    def read(self) -> str:
        return ""


class Repository:
    def __init__(self, session: Session) -> None: ...


class Service:
    def __init__(self, repository: Repository, retries: int = 3) -> None: ...


def session() -> Iterator[Session]:
    yield Session()


@pytest.mark.parametrize("profile", ["test", "embedded"])
def test_the_root_container_has_no_fault(profile: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(Container(profile=profile))


def test_a_circle_is_drawn_through_sub_containers_and_dependencies():
    class Inner(DeclarativeContainer):
        outer: providers.Dependency[Any] = providers.Dependency()
        b: providers.Factory[Any] = providers.Factory(list, outer)

    class Outer(DeclarativeContainer):
        a: providers.Singleton[Any] = providers.Singleton(list)
        inner = providers.Container(Inner, outer=a)

    container = Outer()
    container.a.add_args(container.inner.b)
    assert found(container) == [("cycle", ("a", "inner.b", "inner.outer", "a"))]


def test_a_captive_is_drawn_through_what_lies_between():
    class Captive(DeclarativeContainer):
        session = providers.Scoped(session)
        repository = providers.Factory(Repository, session)
        service = providers.Singleton(Service, repository)

    assert found(Captive()) == [("captive", ("service", "repository", "session"))]


def test_a_singleton_that_is_handed_the_provider_keeps_nothing_alive():
    class Free(DeclarativeContainer):
        session = providers.Scoped(session)
        service: providers.Singleton[Any] = providers.Singleton(list, session.provider)

    check(Free())


def test_missing_and_unexpected_arguments_are_found_at_once():
    class Wrong(DeclarativeContainer):
        repository = providers.Singleton(Repository)
        service = providers.Singleton(Service, repository, retires=5)
        many = providers.Singleton(Session, 1, 2)

    assert found(Wrong()) == [
        ("missing-argument", ("repository",)),
        ("unexpected-argument", ("many",)),
        ("unexpected-argument", ("many",)),
        ("unexpected-argument", ("service",)),
    ]


def test_a_factory_may_wait_for_its_callers_arguments_unless_it_is_injected():
    class Waiting(DeclarativeContainer):
        repository = providers.Factory(Repository)

    class Injected(DeclarativeContainer):
        repository = providers.Factory(Repository)
        service = providers.Singleton(Service, repository)

    check(Waiting())
    assert found(Injected()) == [("missing-argument", ("repository",))]


def test_a_value_of_another_type_is_found_with_the_parameter():
    class Wrong(DeclarativeContainer):
        session = providers.Singleton(Session)
        service = providers.Singleton(Service, session, retries="three")

    with pytest.raises(ValidationError) as caught:
        check(Wrong())
    assert [(one.code, one.path) for one in caught.value.problems] == [
        ("type-mismatch", ("service", "session")),
        ("type-mismatch", ("service",)),
    ]
    assert "'retries' of Service is str, not int" in str(caught.value)


def test_what_may_fit_is_no_fault():
    def open_repository() -> object: ...

    def takes(reader: Reads, ratio: float, name: str | None, any_: Any, many: list[int]) -> int:
        return 0

    class Fine(DeclarativeContainer):
        config = providers.Configuration()
        unknown = providers.Callable(open_repository)
        service = providers.Singleton(Service, unknown, config.retries)
        taken = providers.Singleton(takes, providers.Factory(File), 1, None, object(), [1])

    check(Fine())


def test_a_class_that_lacks_a_protocols_method_is_found():
    def takes(reader: Reads) -> int:
        return 0

    class Wrong(DeclarativeContainer):
        session = providers.Factory(Session)
        taken = providers.Singleton(takes, session)

    assert found(Wrong()) == [("type-mismatch", ("taken", "session"))]


def test_dependencies_nobody_set_are_found():
    class Unset(DeclarativeContainer):
        given = providers.Dependency(instance_of=Session)
        abstract = plain.AbstractFactory(Session)

    class Outer(DeclarativeContainer):
        inner = providers.Container(Unset)

    assert found(Outer()) == [
        ("unset-dependency", ("inner.abstract",)),
        ("unset-dependency", ("inner.given",)),
    ]
    check(Unset(given=providers.Factory(Session), abstract=providers.Factory(Session)))


def test_a_marker_among_the_arguments_is_found():
    class Wrong(DeclarativeContainer):
        repository = providers.Singleton(Repository, Provide["session"])

    assert found(Wrong()) == [("unresolved-marker", ("repository",))]


def test_a_marker_of_a_function_defined_after_wiring_is_found():
    class Wired(DeclarativeContainer):
        session = providers.Singleton(Session)

    container = Wired().wire()
    try:

        @inject
        def late(session: Session = Provide["sesion"]) -> None: ...

        (problem,) = found(container)
        assert problem[0] == "unresolved-marker"
        assert "test_validation.py" in problem[1][0]
        assert late is not None
    finally:
        container.unwire()


def test_an_override_is_what_is_checked():
    class Wrong(DeclarativeContainer):
        repository = providers.Singleton(Repository)

    container = Wrong()
    with container.override(repository=Repository(Session())):
        check(container)


def test_plain_dependency_injector_providers_are_checked_too():
    class Plain(DeclarativeContainer):
        repository = plain.Singleton(Repository, wrong=1)

    assert found(Plain()) == [
        ("missing-argument", ("repository",)),
        ("unexpected-argument", ("repository",)),
    ]


async def test_starting_checks_first_and_starts_nothing():
    started: list[str] = []

    class Wrong(DeclarativeContainer):
        first = providers.Managed(lambda: started.append("first"))
        repository = providers.Singleton(Repository)

    with pytest.raises(ValidationError):
        await Wrong().start()
    assert started == []


def test_a_value_of_the_scope_is_what_it_says_it_is():
    class Greeting:
        def __init__(self, user: str, age: int) -> None: ...

    class Told(DeclarativeContainer):
        user: Any = providers.ContextValue("user", str)
        greeting: Any = providers.Scoped(Greeting, user=user, age=providers.ContextValue("age"))
        wrong: Any = providers.Scoped(Greeting, user=user, age=user)

    assert found(Told()) == [("type-mismatch", ("wrong", "user"))]


def test_a_marker_given_to_a_target_without_a_signature_is_found():
    class Marked(DeclarativeContainer):
        text: Any = providers.Factory(str, Provide["name"])

    assert found(Marked()) == [("unresolved-marker", ("text",))]
