"""A client of an interface, replaced by a stub for the tests of what stands on it."""

from typing import Any
from unittest import mock

from dependency_injector import containers, providers


class Api:
    def __init__(self, host: str, key: str) -> None:
        self.host = host
        self.key = key

    def call(self, operation: str, data: Any) -> str:
        return f"{self.host}/{operation}?{self.key}={data}"


class User:
    def __init__(self, number: int, api: Api) -> None:
        self.number = number
        self.api = api

    def register(self) -> str:
        return self.api.call("register", self.number)


class Client(containers.DeclarativeContainer):
    config = providers.Configuration()
    api = providers.Singleton(Api, config.host, config.key)
    user = providers.Factory(User, api=api)


def program_users_talk_to_the_configured_host():
    client = Client(config={"host": "h", "key": "k"})
    assert client.user(7).register() == "h/register?k=7"
    return client


def program_a_mock_stands_in():
    client = Client()
    stub = mock.Mock(spec=Api)
    client.api.override(providers.Object(stub))
    client.user(1).register()
    stub.call.assert_called_once_with("register", 1)
    client.api.reset_override()
    with client.override_providers(api=stub):
        client.user(2).register()
    assert stub.call.call_count == 2
