import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers import valkey_sentinel as module
from infrastructure.servers.process import ServerProcess
from infrastructure.servers.valkey_sentinel import ValkeySentinels


def test_one_is_master_and_the_other_its_replica(valkey_sentinels: ValkeySentinels) -> None:
    assert valkey_sentinels.master_at == 0
    roles = [
        b"master" in valkey_sentinels.ask(0, "ROLE"),
        b"slave" in valkey_sentinels.ask(1, "ROLE"),
    ]
    assert roles == [True, True]


def test_one_that_sees_no_replica_is_told_with_its_log_and_every_process_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reason := ValkeySentinels.reason_missing():
        pytest.skip(reason)
    processes: list[ServerProcess] = []

    def made(kind: str) -> ServerProcess:
        processes.append(ServerProcess(kind))
        return processes[-1]

    monkeypatch.setattr(module, "ServerProcess", made)
    monkeypatch.setattr(module, "_START_SECONDS", 0.0)  # to see it takes one
    servers = ValkeySentinels()
    with pytest.raises(UnavailableError, match=r"(?s)did not come to know the replica.*monitor"):
        servers.start()
    assert len(processes) == 3
    assert not any(process.is_running or process.folder.exists() for process in processes)
    assert (servers.url, servers.sentinels) == ("", [])
