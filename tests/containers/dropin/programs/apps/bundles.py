"""Bundles that know each other by what they depend on."""

from typing import Any

from dependency_injector import containers, providers


class Repository:
    def __init__(self, entity: Any, database: Any, other: Any = None) -> None:
        self.entity = entity
        self.database = database
        self.other = other


class Users(containers.DeclarativeContainer):
    database = providers.Dependency(instance_of=dict)
    entity = providers.Factory(dict, kind="user")
    repository = providers.Singleton(Repository, entity.provider, database)


class Photos(containers.DeclarativeContainer):
    database = providers.Dependency(instance_of=dict)
    storage = providers.Dependency(instance_of=list)
    users = providers.DependenciesContainer()
    entity = providers.Factory(dict, kind="photo")
    repository = providers.Singleton(Repository, entity.provider, database, users.repository)


class Core(containers.DeclarativeContainer):
    database = providers.Singleton(dict)
    storage = providers.Singleton(list)


class Whole(containers.DeclarativeContainer):
    core = providers.Container(Core)
    users = providers.Container(Users, database=core.database)
    photos = providers.Container(Photos, database=core.database, storage=core.storage, users=users)


def program_bundles_made_by_hand():
    core = Core()
    users = Users(database=core.database)
    photos = Photos(database=core.database, storage=core.storage, users=users)
    assert photos.repository().other is users.repository()
    assert photos.repository().database is users.repository().database is core.database()
    assert photos.repository().entity(name="x") == {"kind": "photo", "name": "x"}
    return users, photos


def program_bundles_in_a_container():
    whole = Whole()
    assert whole.photos.repository().other is whole.users.repository()
    whole.check_dependencies()
    whole.users.repository.override(providers.Object("stub"))
    whole.photos.reset_singletons()
    assert whole.photos.repository().other == "stub"
    return whole
