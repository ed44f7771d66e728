"""The containers of the library."""

from dependency_injector import containers, providers

from .loans.desk import Loans
from .members.desk import Members


class Core(containers.DeclarativeContainer):
    config = providers.Configuration()
    database = providers.Singleton(dict)


class MembersContainer(containers.DeclarativeContainer):
    config = providers.Configuration()
    database = providers.Dependency(instance_of=dict)
    members = providers.Factory(Members, database, fee=config.fee.as_int())


class LoansContainer(containers.DeclarativeContainer):
    config = providers.Configuration()
    core = providers.DependenciesContainer()
    members = providers.DependenciesContainer()
    loans = providers.Singleton(Loans, core.database, members.members, days=config.days.as_int())


class Library(containers.DeclarativeContainer):
    wiring_config = containers.WiringConfiguration(packages=[".loans", ".members"])

    config = providers.Configuration(default={"members": {"fee": "5"}, "loans": {"days": "14"}})
    core = providers.Container(Core, config=config)
    members = providers.Container(MembersContainer, config=config.members, database=core.database)
    loans = providers.Container(LoansContainer, config=config.loans, core=core, members=members)


class Quiet(containers.DeclarativeContainer):
    """What a test puts in the place of the core."""

    database = providers.Object({"members": ["Test"]})
