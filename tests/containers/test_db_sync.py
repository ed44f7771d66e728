import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from containers import Container, Provide, inject, set_default
from containers.errors import OverrideTypeError
from infrastructure.connections import BaseConnectionManager, ConnectionFactory
from infrastructure.errors import UnsupportedError
from infrastructure.resilience.policies import Policies


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Any]:
    """A file of its own as default, another one as the instance `audit`, and a Redis."""
    audit = {"kind": "sqlite", "path": str(tmp_path / "audit.db")}
    redis = {"kind": "redis", "host": "localhost"}
    made = Container(
        profile="test",
        environ={},
        overrides={
            "db": {
                "default": {"kind": "sqlite", "path": str(tmp_path / "app.db"), "policy": "calls"},
                "instances": {"audit": audit, "queue": redis},
            },
            "resilience": {"policies": {"calls": {"breaker": {}}}},
        },
    )
    made.db.sync_default().execute_query("CREATE TABLE book (title text)")
    yield made
    made.db.sync_managers().close()


def titles(manager: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manager.execute_query("SELECT title FROM book")
    return found


def test_the_twin_of_the_default_is_one_object(container: Any):
    twin = container.db.sync_default()
    assert twin is container.db.sync_default()
    assert isinstance(twin, BaseConnectionManager)
    assert twin.name == "db.sync_default"


def test_a_session_lives_as_long_as_its_scope_and_commits(container: Any):
    with container.scope():
        session = container.db.sync_session()
        assert container.db.sync_session() is session
        session.execute(text("INSERT INTO book VALUES ('Dune')"))
    assert titles(container.db.sync_default()) == [{"title": "Dune"}]


def test_a_handler_that_fails_rolls_its_session_back(container: Any):
    @inject
    def handle(session: Any = Provide["db.sync_session"]) -> None:
        session.execute(text("INSERT INTO book VALUES ('Dune')"))
        raise ZeroDivisionError

    container.wire(modules=[__name__])
    with pytest.raises(ZeroDivisionError), container.scope():
        handle()
    container.unwire()
    assert titles(container.db.sync_default()) == []


def test_an_instance_has_a_twin_and_sessions_too(container: Any):
    audit = container.db.sync_instances.audit()
    audit.execute_query("CREATE TABLE book (title text)")
    with container.scope():
        container.db.sync_sessions.audit().execute(text("INSERT INTO book VALUES ('log')"))
    assert titles(audit) == [{"title": "log"}]
    assert titles(container.db.sync_default()) == []


def test_both_worlds_see_one_file(container: Any):
    container.db.sync_default().execute_query("INSERT INTO book VALUES ('Dune')")

    async def read() -> Any:
        async with container.db.default() as manager:
            return await manager.execute_query("SELECT title FROM book")

    assert asyncio.run(read()) == [{"title": "Dune"}]


def test_a_kind_without_a_twin_says_so(container: Any):
    with pytest.raises(UnsupportedError, match=r"'redis' has no sync twin.*postgres, sqlite"):
        container.db.sync_instances.queue()


def test_the_policy_of_the_block_stands_around_the_twins_calls(container: Any):
    policies: Policies = container.resilience.registry()
    assert container.db.sync_default().policy is policies.policy("db.default")


def test_a_kind_is_enough_to_get_a_twin_from_the_factory(container: Any):
    set_default(container)
    try:
        with ConnectionFactory.get_sync_connection_manager("sqlite", name="mine") as mine:
            assert titles(mine) == []
            assert mine is not container.db.sync_default()
        with pytest.raises(UnsupportedError, match="'redis' has no sync twin"):
            ConnectionFactory.get_sync_connection_manager("redis")
    finally:
        set_default(None)


def test_what_cannot_take_the_place_of_the_twin_is_refused(container: Any):
    with pytest.raises(OverrideTypeError, match=r"db\.sync_default: .* no .*rotate"):
        container.override({"db.sync_default": object()})


async def test_starting_opens_no_twin_and_stopping_closes_those_in_use(tmp_path: Path):
    block = {"kind": "sqlite", "path": str(tmp_path / "app.db")}
    container = Container(profile="test", environ={}, overrides={"db": {"default": block}})
    twin = container.db.sync_default()
    async with container:
        assert not twin.is_open
        twin.execute_query("SELECT 1")
        assert twin.is_open
    assert not twin.is_open


def test_a_twin_that_does_not_close_keeps_no_other_open(container: Any):
    managers = container.db.sync_managers()
    first, second = container.db.sync_default(), container.db.sync_instances.audit()
    second.execute_query("SELECT 1")

    def fail() -> None:
        raise OSError("no")

    first.disconnect, close = fail, first.disconnect
    with pytest.raises(OSError, match="no"):
        managers.close()
    first.disconnect = close
    assert not second.is_open
