"""The library at work."""

from dependency_injector import providers

from .declarations import Library, Quiet
from .loans.desk import Loans, lend
from .members.desk import enrol


async def program_packages_named_relative_to_the_declaration():
    library = Library()
    assert enrol("Ada") == 5
    assert await lend("Emma", "Ada") == "Emma to Ada for 14 days"
    assert library.core.database() == {"members": ["Ada"], "loans": {"Emma": "Ada"}}
    library.unwire()
    return library


async def program_a_core_overridden_at_run_time():
    library = Library()
    library.core.override(Quiet())
    assert await lend("Emma", "Test") == "Emma to Test for 14 days"
    library.unwire()
    return library


async def program_a_part_given_at_construction():
    library = Library(config={"members": {"fee": "1"}, "loans": {"days": "2"}})
    assert enrol("Bob") == 1
    with library.loans.loans.override(providers.Factory(Loans, {"members": ["X"]}, None, 9)):
        assert await lend("Emma", "X") == "Emma to X for 9 days"
    assert await lend("Emma", "Bob") == "Emma to Bob for 2 days"
    library.check_dependencies()
    library.unwire()


def program_the_graph_is_shared_between_parts():
    library = Library()
    assert library.loans.loans().database is library.members.members().database
    assert library.loans.loans() is library.loans().loans()
    assert library.loans.members.members().fee == 5
    library.reset_singletons()
    assert library.core.database() == {}
    library.unwire()
    return library
