import os

import pytest

from infrastructure.connections.external.dynamodb import (
    DynamoConnectionManager,
    DynamoSettings,
    Key,
    Table,
)
from infrastructure.errors import NotFoundError, UnavailableError
from infrastructure.servers.moto import MotoServer
from tests.aws_address import aws_address

TABLE = Table("book", Key("id"))


async def test_a_restart_keeps_the_port_and_loses_the_tables():
    with MotoServer() as server:
        settings = DynamoSettings.model_validate(aws_address(server))
        async with DynamoConnectionManager(settings) as manager:
            await manager.ensure_table(TABLE)
            server.restart()
            with pytest.raises(NotFoundError):
                await manager.get("book", {"id": "1"})
        assert server._process
        folder, pid = server._process.folder, server._process.pid
    assert pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not folder.exists()


def test_what_was_not_started_cannot_be_restarted():
    with pytest.raises(UnavailableError, match="was not started"):
        MotoServer().restart()
