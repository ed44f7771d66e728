"""Clients made by the methods of a session object."""

from typing import Any

from dependency_injector import containers, providers


class Session:
    def __init__(self, key: str, region: str) -> None:
        self.key = key
        self.region = region

    def client(self, service: str, **options: Any) -> dict[str, Any]:
        return {"service": service, "key": self.key, "region": self.region, **options}

    def resource(self, service: str) -> list[str]:
        return [service, self.region]


class Store:
    def __init__(self, client: dict[str, Any], queue: dict[str, Any]) -> None:
        self.client = client
        self.queue = queue


class Cloud(containers.DeclarativeContainer):
    config = providers.Configuration(default={"key": "k", "region": "north"})
    session = providers.Resource(Session, key=config.key, region=config.region)
    store_client = providers.Resource(session.provided.client.call(), service="store")
    queue_client = providers.Resource(session.provided.client.call("queue", tries=3))
    table = providers.Singleton(session.provided.resource.call("table"))
    store = providers.Factory(Store, client=store_client, queue=queue_client)
    made = providers.Factory(
        Store,
        client=session.provided.client.call("store"),
        queue=session.provided.client.call("queue", tries=9),
    )


def program_clients_of_one_session():
    cloud = Cloud()
    cloud.init_resources()
    assert cloud.store().client["service"] == "store"
    assert cloud.store().queue is cloud.queue_client()
    assert cloud.table() is cloud.table() == ["table", "north"]
    made = cloud.made()
    assert made.client == {"service": "store", "key": "k", "region": "north"}
    assert made.queue["tries"] == 9
    assert cloud.session().region == "north"
    return cloud
