"""What a pool says of itself when it is measured."""

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.base import AsyncBaseConnectionManager, PoolStats


class Manager(AsyncBaseConnectionManager):
    """A pool of any numbers."""

    def __init__(self, stats: PoolStats) -> None:
        settings = ConnectionSettings(kind="postgres")
        super().__init__(settings, name="db.default")
        self._stats = stats

    def pool_stats(self) -> PoolStats:
        return self._stats

    async def _open(self) -> None: ...

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return ""


def test_connections_are_measured_by_state_beside_their_limit() -> None:
    measured = Manager(PoolStats(size=5, in_use=3, limit=10)).measurements()
    assert [
        (one.name, one.labels.get("db.client.connection.state"), one.value) for one in measured
    ] == [
        ("db.client.connection.count", "used", 3),
        ("db.client.connection.count", "idle", 2),
        ("db.client.connection.max", None, 10),
    ]


def test_what_has_no_pool_measures_none() -> None:
    assert list(Manager(PoolStats(size=0, in_use=0, limit=0)).measurements()) == []
