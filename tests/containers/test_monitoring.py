"""A container's health and measurements, from its own objects."""

from types import SimpleNamespace
from typing import Any

import pytest

from containers import Container, DeclarativeContainer, providers
from containers.monitoring import health_registry, measured
from infrastructure.component import Component
from infrastructure.errors import ConfigurationError, UnavailableError
from infrastructure.health import Status
from infrastructure.observability.metrics import Measurement, gauge


class Store(Component):
    """Counts, and is down where told."""

    def __init__(self, name: str, *, is_down: bool = False, critical: bool = True) -> None:
        settings = SimpleNamespace(kind="store", connect_timeout_seconds=1, critical=critical)
        super().__init__(settings, name=name)
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


async def test_what_the_settings_do_not_call_critical_degrades():
    class Kiosk(DeclarativeContainer):
        db = providers.Managed(Store, "db")
        cache = providers.Managed(Store, "cache", is_down=True, critical=False)

    report = await (await health_registry(Kiosk())).readiness()
    assert report.status is Status.DEGRADED
    assert report.components["cache"].status is Status.DOWN


def test_a_cache_is_not_critical_unless_its_block_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kinds = {"cache.instances.signup.critical": True}
    container: Any = Container(profile="test", overrides=kinds)
    assert container.cache.default().settings.critical is False
    assert container.cache.instances.signup().settings.critical is True
    assert container.db.default().settings.critical is True


async def test_a_database_is_never_asked_for_liveness():
    health = await health_registry(Shop())
    assert (await health.liveness()).components == {}
    with pytest.raises(ConfigurationError, match="does not count for liveness"):
        health.add("again", Store("db"), groups=["liveness"])


def names(container: Any) -> list[str]:
    return [one.name for one in measured(container) if isinstance(one, Store)]


def test_only_what_is_built_is_measured_and_nothing_is_built_for_it():
    shop: Any = Shop()
    assert names(shop) == []
    shop.db()
    shop.text()
    assert names(shop) == ["db"]
