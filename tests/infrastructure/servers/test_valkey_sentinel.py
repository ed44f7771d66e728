from collections.abc import Iterator

import pytest

from infrastructure.servers.valkey_sentinel import ValkeySentinels


@pytest.fixture(scope="module")
def servers() -> Iterator[ValkeySentinels]:
    if reason := ValkeySentinels.reason_missing():
        pytest.skip(reason)
    with ValkeySentinels(3, down_after_milliseconds=300) as servers:
        yield servers


def test_one_is_master_and_the_other_its_replica(servers: ValkeySentinels) -> None:
    assert servers.master_at == 0
    assert [b"master" in servers.ask(0, "ROLE"), b"slave" in servers.ask(1, "ROLE")] == [True, True]


def test_the_sentinels_know_each_other(servers: ValkeySentinels) -> None:
    assert len(servers.sentinels) == 3
    assert b"sentinels=3" in servers.ask_sentinel("INFO", "sentinel")


def test_a_killed_server_comes_back_as_the_replica_of_the_other() -> None:
    if reason := ValkeySentinels.reason_missing():
        pytest.skip(reason)
    with ValkeySentinels(down_after_milliseconds=300) as servers:
        processes = [*servers._servers, *servers._watchers]
        servers.kill(1)
        servers.revive(1)
        assert b"master_link_status:up" in servers.ask(1, "INFO", "replication")
    servers.stop()
    assert not any(process.is_running or process.folder.exists() for process in processes)
