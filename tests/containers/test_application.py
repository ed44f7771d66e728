"""The root container: paths of the YAML, instances, profiles, life."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import containers
from containers import Container, Provide, default_container, inject, set_default
from containers.errors import ContainerError, LifecycleError, OverrideTypeError
from infrastructure.cache import CacheService
from infrastructure.config import Settings, SettingsError, load_settings
from infrastructure.errors import ConfigurationError, UnsupportedError
from infrastructure.health import Status


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that state and host settings are the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def default(folder: Path) -> Iterator[object]:
    """The default container, on profile `test`."""
    container = Container(profile="test")
    set_default(container)
    yield container
    set_default(None)


def test_the_paths_of_the_yaml_are_the_paths_of_the_container(folder):
    container = Container(profile="test")
    settings = container.settings()
    for part in ("cache", "db", "embeddings", "llm", "vector"):
        for path, block in getattr(settings, part).blocks().items():
            found = container.get(f"{part}.{path}")
            backend = found.provider if part == "cache" else found
            assert (backend.name, backend.settings) == (f"{part}.{path}", block)


def test_a_named_instance_is_a_provider(folder):
    container = Container(profile="test")
    assert container.cache.instances.signup() is container.get("cache.instances.signup")
    assert isinstance(container.cache.instances.signup(), CacheService)


def test_making_a_container_opens_no_socket_and_writes_nothing(folder, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    Container(profile="embedded").wire().unwire()
    assert list(folder.iterdir()) == []


async def test_a_started_container_is_healthy_everywhere(folder):
    async with Container(profile="test") as container:
        health = await container.health()
    assert {answer.status for answer in health.values()} == {Status.UP}
    assert {"cache.default", "db.default", "llm.default", "vector.default"} <= health.keys()


async def test_starting_makes_the_folders_the_settings_name(folder):
    async with Container(profile="test", overrides={"paths.results": "made/results"}):
        assert (folder / "made" / "results").is_dir()


async def test_a_session_is_scoped_and_commits_with_its_scope(folder):
    async with Container(profile="test") as container:
        database = container.db.default()
        await database.execute_query("CREATE TABLE notes (text TEXT)")
        async with container.scope() as scope:
            session = await scope.aget("db.session")
            assert await scope.aget("db.session") is session
            connection = await session.connection()
            await connection.exec_driver_sql("INSERT INTO notes VALUES ('kept')")
        assert await database.execute_query("SELECT text FROM notes") == [{"text": "kept"}]


async def test_a_session_rolls_back_when_its_scope_fails(folder):
    async with Container(profile="test") as container:
        database = container.db.default()
        await database.execute_query("CREATE TABLE notes (text TEXT)")
        with pytest.raises(RuntimeError):
            async with container.scope() as scope:
                session = await scope.aget("db.session")
                connection = await session.connection()
                await connection.exec_driver_sql("INSERT INTO notes VALUES ('lost')")
                raise RuntimeError
        assert await database.execute_query("SELECT text FROM notes") == []


async def test_a_kind_without_sessions_says_so(folder):
    container = Container(
        profile="test", overrides={"db.instances.queue": {"kind": "redis", "host": "127.0.0.1"}}
    )
    async with container.scope() as scope:
        with pytest.raises(UnsupportedError, match=r"db\.instances\.queue: .*no sessions"):
            await scope.aget("db.sessions.queue")


def test_a_part_is_overridden_by_its_name_and_held_to_its_port(folder):
    container = Container(profile="test")
    stand_in = containers.Container(profile="test").llm.default()
    with container.override(llm=stand_in):
        assert container.llm.default() is stand_in
    with pytest.raises(OverrideTypeError, match=r"llm\.default: .*BaseLLMProvider"):
        container.override(llm=object())


def test_settings_can_be_handed_in(folder):
    settings = load_settings("test", environ={})
    assert Container(settings=settings).settings() is settings
    with pytest.raises(ContainerError, match="Pass `settings=` alone"):
        Container(settings=settings, profile="test")


def test_another_profile_stands_in_for_a_while(folder):
    container = Container(profile="embedded")
    before = container.llm.default()
    with container.use_profile("test") as settings:
        assert isinstance(settings, Settings)
        assert container.llm.default().settings.kind == "scripted"
    assert container.llm.default() is before


def test_instances_of_the_other_profile_come_and_go_with_it(folder):
    host = folder / "resources" / "profiles"
    host.mkdir(parents=True)
    (host / "more.yaml").write_text("cache:\n  instances:\n    extra:\n      kind: memory\n")
    container = Container(profile="test")
    with container.use_profile("test,more"):
        assert container.get("cache.instances.extra").provider.settings.kind == "memory"
    with pytest.raises(ContainerError):
        container.get("cache.instances.extra")


def test_an_instance_the_other_profile_lacks_is_named(folder):
    container = Container(profile="test", overrides={"cache.instances.mine": {"kind": "memory"}})
    other = load_settings("test", environ={})
    with (
        container.override({"settings": other}),
        pytest.raises(ConfigurationError, match=r"cache\.instances\.mine: not configured"),
    ):
        container.cache.instances.mine()


async def test_a_started_container_does_not_switch_profiles(folder):
    async with Container(profile="test") as container:
        with (
            pytest.raises(LifecycleError, match="while started"),
            container.use_profile("embedded"),
        ):
            pass


def test_wrong_settings_are_an_error_before_anything_is_made(folder):
    with pytest.raises(SettingsError, match="ttl_secnds"):
        Container(profile="test", overrides={"cache.default.ttl_secnds": 5})


def test_the_default_container_is_made_once_and_can_be_replaced(default):
    assert default_container() is default
    other = Container(profile="test")
    set_default(other)
    assert default_container() is other


async def test_the_documents_doors_use_the_default_container(default):
    from infrastructure.cache import CacheType
    from infrastructure.cache.instances import signup_cache
    from infrastructure.connections import ConnectionFactory, ConnectionType
    from infrastructure.llm import LLMFactory, LLMProvider

    assert signup_cache is default.cache.instances.signup()
    cache = CacheService("test", cache_type=CacheType.IN_MEMORY)
    await cache.set("key", "value")
    assert await cache.get("key") == "value"
    manager = ConnectionFactory.get_connection_manager(ConnectionType.SQLITE)
    assert await manager.execute_query("SELECT 1 AS one") == [{"one": 1}]
    await manager.disconnect()
    llm = LLMFactory.get_llm(LLMProvider.SCRIPTED)
    assert "hello" in (await llm.generate("hello")).content


async def test_injected_functions_get_the_parts(folder):
    @inject
    async def handler(cache: CacheService = Provide["cache.instances.signup"]) -> CacheService:
        return cache

    container = Container(profile="test").wire()
    try:
        assert await handler() is container.cache.instances.signup()
    finally:
        container.unwire()


def test_two_containers_share_nothing(folder):
    assert Container(profile="test").llm.default() is not Container(profile="test").llm.default()
