"""Conformance, U: creating classes that are not registered, with arguments of one's own."""
# ruff: noqa: N802 - a test is named by its id in the list

from collections.abc import Callable
from typing import Any, Self, overload

import pytest

from containers.core.services import DIContainer, ServiceNotRegisteredError, constructor
from containers.errors import ServiceCreationError
from tests.containers.core.services.models import Greeter, NeedsPlain, Other, Plain, Unknown

Creates = Callable[..., Any]


@pytest.fixture
def container() -> DIContainer:
    container = DIContainer()
    container.register_singleton(Plain)
    return container


@pytest.fixture(params=["directly", "precompiled"])
def create(container: DIContainer, request: pytest.FixtureRequest) -> Creates:
    """Create at once, or by a function chosen for the types of the arguments."""
    if request.param == "directly":
        return container.create
    return lambda cls, *extra: container.creator(cls, *(type(one) for one in extra))(*extra)


class Report:
    def __init__(self, plain: Plain, title: str, pages: int = 1) -> None:
        self.plain = plain
        self.title = title
        self.pages = pages


class Overloaded:
    @overload
    def __init__(self, plain: Plain, name: str) -> None: ...
    @overload
    def __init__(self, plain: Plain, *, size: int) -> None: ...
    def __init__(self, plain: Plain, name: str = "", *, size: int = 0) -> None:
        self.found = (plain, name, size)


class Ambiguous:
    @overload
    def __init__(self, first: str) -> None: ...
    @overload
    def __init__(self, first: str, second: int = 2) -> None: ...
    def __init__(self, first: str = "", second: int = 1) -> None:
        self.found = (first, second)


class Marked:
    def __init__(self, name: str = "") -> None:
        self.name = name

    @classmethod
    @constructor
    def numbered(cls, plain: Plain, number: int) -> Self:
        return cls(f"{type(plain).__name__} {number}")


class Failing:
    def __init__(self, plain: Plain) -> None:
        raise ValueError("the disk is full")


def test_U01_a_class_that_is_not_registered_is_built(container, create):
    assert create(NeedsPlain).plain is container.resolve(Plain)


def test_U02_extra_arguments_go_to_parameters_that_are_no_services(container, create):
    report = create(Report, "May", 7)
    assert (report.plain, report.title, report.pages) == (container.resolve(Plain), "May", 7)


def test_U04_optional_parameters_take_their_defaults(create):
    assert create(Report, "May").pages == 1


@pytest.mark.parametrize(("extra", "found"), [("x", ("x", 0)), (5, ("", 5))])
def test_U06_the_types_of_arguments_choose_the_signature(container, create, extra, found):
    assert create(Overloaded, extra).found == (container.resolve(Plain), *found)


@pytest.mark.parametrize("extra", [("May", 7, "more"), ("May", 2.5j)])
def test_U08_surplus_and_mistyped_arguments_are_errors(create, extra):
    told = r"no constructor of Report takes \(.*It takes \(plain: Plain, title: str, pages: int\)"
    with pytest.raises(ServiceCreationError, match=told):
        create(Report, *extra)


def test_U09_the_constructors_own_exception_comes_out_as_it_is(create):
    with pytest.raises(ValueError, match="disk") as caught:
        create(Failing)
    assert caught.type is ValueError
    assert caught.value.__cause__ is None


def test_U10_choosing_between_signatures_that_both_fit_is_an_error(container):
    with pytest.raises(ServiceCreationError, match=r"2 constructors of Ambiguous take \(str\)"):
        container.creator(Ambiguous, str)


def test_U11_creating_takes_the_first_signature_that_fits(container):
    assert container.create(Ambiguous, "x").found == ("x", 1)


def test_U12_a_marked_constructor_is_preferred(create):
    assert create(Marked, 3).name == "Plain 3"


def test_U14_a_marked_constructor_that_cannot_take_the_arguments_is_an_error(create):
    with pytest.raises(ServiceCreationError, match=r"no constructor of Marked takes \(str\)"):
        create(Marked, "x")


def test_U15_get_or_create_gives_registered_transients(container):
    container.register_transient(NeedsPlain)
    assert container.get_or_create(NeedsPlain) is not container.get_or_create(NeedsPlain)


def test_U16_get_or_create_gives_the_registered_singleton(container):
    container.register_singleton(NeedsPlain)
    assert container.get_or_create(NeedsPlain) is container.resolve(NeedsPlain)


def test_U17_get_or_create_builds_an_unregistered_class_each_time(container):
    assert container.get_or_create(NeedsPlain) is not container.get_or_create(NeedsPlain)
    assert not container.is_registered(NeedsPlain)


def test_U18_a_missing_service_is_named_with_what_is_built(create):
    class NeedsUnknown:
        def __init__(self, unknown: Unknown) -> None:
            raise AssertionError

    told = r"'Unknown' is not registered; needed to build 'NeedsUnknown' \(parameter 'unknown'\)"
    with pytest.raises(ServiceNotRegisteredError, match=told):
        create(NeedsUnknown)


def test_U19_an_abstract_class_is_an_error(create):
    with pytest.raises(ServiceCreationError, match="Greeter is abstract and cannot be created"):
        create(Greeter)


def test_U20_the_message_of_the_inner_exception_survives(create):
    with pytest.raises(ValueError, match=r"^the disk is full$"):
        create(Failing)


def test_named_arguments_go_to_their_parameters(container):
    other = Plain()
    report = container.create(Report, title="June", plain=other)
    assert (report.title, report.plain) == ("June", other)
    with pytest.raises(ServiceCreationError, match=r"takes \(tilte: str\)"):
        container.create(Report, tilte="June")


def test_what_is_created_is_the_callers_to_end():
    class Closing:
        closed = False

        def close(self) -> None:
            self.closed = True

    with DIContainer() as container:
        created = container.create(Closing)
    assert not created.closed


async def test_creating_awaits_services_that_must_be_awaited(container):
    async def other() -> Other:
        return Other()

    class NeedsOther:
        def __init__(self, other: Other, name: str) -> None:
            self.found = (other, name)

    container.register_factory(Other, other)
    created = await container.acreate(NeedsOther, "x")
    assert created.found == (container.resolve(Other), "x")
