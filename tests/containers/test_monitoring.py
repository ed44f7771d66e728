"""A container's health and measurements, from its own objects."""

from types import SimpleNamespace
from typing import Any

from containers import DeclarativeContainer, providers
from containers.monitoring import health_registry, measured
from infrastructure.component import Component
from infrastructure.errors import UnavailableError
from infrastructure.health import Status
from infrastructure.observability.metrics import Measurement, gauge


class Store(Component):
    """Counts, and is down where told."""

    def __init__(self, name: str, *, is_down: bool = False) -> None:
        super().__init__(SimpleNamespace(kind="store", connect_timeout_seconds=1), name=name)
        self._is_down = is_down

    def measurements(self) -> list[Measurement]:
        return [gauge("size", 1, {"component": self.name})]

    async def _open(self) -> None:
        if self._is_down:
            raise UnavailableError("refused", where=self.name)

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return "there"


class Shop(DeclarativeContainer):
    db = providers.Managed(Store, "db")
    cache = providers.Managed(Store, "cache", is_down=True)
    text = providers.Singleton(str)


async def test_managed_components_are_ready_by_their_paths():
    report = await (await health_registry(Shop())).readiness()
    assert (report.status, set(report.components)) == (Status.DOWN, {"db", "cache"})


async def test_what_is_optional_degrades():
    report = await (await health_registry(Shop(), optional=["cac*"])).readiness()
    assert report.status is Status.DEGRADED


def names(container: Any) -> list[str]:
    return [one.name for one in measured(container) if isinstance(one, Store)]


def test_only_what_is_built_is_measured_and_nothing_is_built_for_it():
    shop: Any = Shop()
    assert names(shop) == []
    shop.db()
    shop.text()
    assert names(shop) == ["db"]
