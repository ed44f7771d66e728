"""The object store as a server; it is heavy, so these tests share one and are in their order."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.servers.seaweedfs import SeaweedServer

pytestmark = pytest.mark.xdist_group(__name__)
LISTENS = "0A"


@pytest.fixture(scope="module")
def server() -> Iterator[SeaweedServer]:
    if reason := SeaweedServer.reason_missing():
        pytest.skip(f"server 's3' cannot be had: {reason}")
    with SeaweedServer() as server:
        yield server


@pytest.mark.skipif(sys.platform != "linux", reason="sockets are looked up in /proc")
def test_it_listens_on_loopback_only(server: SeaweedServer):
    assert server._process
    found = addresses(server._process.pid or 0)
    assert len(found) >= 8
    assert {address for address, _ in found} == {"0100007F"}
    assert int(server.url.rpartition(":")[2]) in {port for _, port in found}


def test_stop_ends_the_process_and_removes_its_files(server: SeaweedServer):
    assert server._process
    folder, pid = server._process.folder, server._process.pid
    sockets = server.sockets()
    assert all(socket.exists() for socket in sockets)
    server.stop()
    assert pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not [each for each in (folder, *sockets) if each.exists()]
    server.stop()


def addresses(pid: int) -> set[tuple[str, int]]:
    """Where the process listens: addresses as the kernel writes them, and ports."""
    files = [each for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    own = {str(each.readlink()).removeprefix("socket:[").removesuffix("]") for each in files}
    rows = [
        row.split()
        for name in ("tcp", "tcp6")
        for row in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    listening = (row[1].split(":") for row in rows if row[3] == LISTENS and row[9] in own)
    return {(address, int(port, 16)) for address, port in listening}
