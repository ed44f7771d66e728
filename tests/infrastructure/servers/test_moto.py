import os

import pytest

from infrastructure.servers.moto import MotoServer


def test_stop_ends_the_process_and_removes_its_folder() -> None:
    if reason := MotoServer.reason_missing():
        pytest.skip(f"server 'dynamodb' cannot be had: {reason}")
    with MotoServer() as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server._process is not None
        folder, pid = server._process.folder, server._process.pid
        assert (folder / "moto.json").stat().st_mode & 0o077 == 0
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not folder.exists()
    assert server.url == ""
    server.stop()
