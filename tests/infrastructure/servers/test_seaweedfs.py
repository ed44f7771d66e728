"""The object store as a server; it is heavy, so these tests share one and are in their order."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.connections.external.s3 import S3ConnectionManager, S3Settings
from infrastructure.servers.seaweedfs import SeaweedServer
from tests.aws_address import aws_address

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


async def test_a_restart_keeps_port_and_data_and_the_next_call_is_answered(server: SeaweedServer):
    settings = S3Settings.model_validate(aws_address(server))
    async with S3ConnectionManager(settings) as manager:
        await manager.put("kept", b"1")
        server.restart()
        assert await manager.get("kept") == b"1"


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
