"""DynamoDB's manager on moto."""

from typing import Any

import pytest

from infrastructure.connections.external.dynamodb import DynamoConnectionManager, DynamoSettings
from infrastructure.errors import AuthenticationError
from infrastructure.servers.moto import MotoServer
from tests.aws_address import aws_address
from tests.contracts.connection_contract import ConnectionContract


def made(server: MotoServer, **changed: Any) -> DynamoConnectionManager:
    settings = DynamoSettings.model_validate(aws_address(server, **changed))
    return DynamoConnectionManager(settings, name="external.instances.items")


class TestDynamoConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, moto: MotoServer) -> DynamoConnectionManager:
        return made(moto)


@pytest.mark.parametrize("wrong", ["access_key_id", "secret_access_key"])
async def test_wrong_keys_are_told_without_showing_them(moto: MotoServer, wrong: str):
    db = made(moto, **{wrong: "HUNTER2HUNTER2"})
    with pytest.raises(AuthenticationError, match="ListTables") as told:
        await db.connect()
    assert "HUNTER2" not in f"{told.value!r} {told.value} {told.value.__cause__!r}"
