"""Spans and metrics of calls, as the OpenTelemetry SDK receives them."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import text

from infrastructure.component import Component
from infrastructure.connections.database.sqlite import SqliteConnectionManager, SqliteSettings
from infrastructure.errors import ConfigurationError, OverloadedError
from infrastructure.llm import ScriptedProvider
from infrastructure.observability import telemetry


class Store(Component):
    """A database with one call and one stream."""

    operations = frozenset({"fetch", "scroll"})

    def __init__(self, kind: str = "postgres", name: str = "db.default") -> None:
        super().__init__(SimpleNamespace(kind=kind, connect_timeout_seconds=1), name=name)
        self.fault: BaseException | None = None

    async def fetch(self, query: str) -> str:
        with tracer().start_as_current_span("of the driver"):
            if self.fault:
                raise self.fault
        return f"answer to {query}"

    async def scroll(self) -> AsyncGenerator[int, None]:
        for piece in range(2):
            with tracer().start_as_current_span("of a page"):
                pass
            yield piece

    async def _open(self) -> None: ...

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return ""


class Backend:
    """What was exported, in memory."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def span(self, name: str) -> Any:
        (found,) = [one for one in self.exporter.get_finished_spans() if one.name == name]
        return found

    def points(self, name: str) -> list[Any]:
        data: Any = self.reader.get_metrics_data()
        metrics = [
            metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return [
            point for metric in metrics if metric.name == name for point in metric.data.data_points
        ]


_backend: list[Backend] = []


def tracer() -> trace.Tracer:
    return _backend[-1].tracers.get_tracer("driver")


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    _backend.append(made)
    telemetry.enable(tracer_provider=made.tracers, meter_provider=made.meters)
    yield made
    telemetry.disable()
    made.tracers.shutdown()
    made.meters.shutdown()


async def test_call_is_a_client_span_with_its_component(backend):
    await Store().fetch("SELECT 1")
    span = backend.span("fetch db.default")
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes) == {
        "component": "db.default",
        "kind": "postgres",
        "operation": "fetch",
        "db.system.name": "postgresql",
        "db.operation.name": "fetch",
        "outcome": "ok",
    }


async def test_span_of_the_driver_hangs_below_that_of_the_call(backend):
    await Store().fetch("SELECT 1")
    outer, inner = backend.span("fetch db.default"), backend.span("of the driver")
    assert inner.parent.span_id == outer.context.span_id


async def test_error_is_on_the_span_without_its_text(backend):
    store = Store()
    store.fault = OverloadedError("password=hunter2 refused")
    with pytest.raises(OverloadedError):
        await store.fetch("SELECT secret")
    span = backend.span("fetch db.default")
    assert (span.status.status_code, span.attributes["outcome"]) == (StatusCode.ERROR, "overload")
    assert span.attributes["error.type"] == "OverloadedError"
    assert "hunter2" not in span.to_json()
    assert "secret" not in span.to_json()


async def test_stream_is_one_span_that_is_current_in_the_stream_only(backend):
    async for _ in Store().scroll():
        assert trace.get_current_span() is trace.INVALID_SPAN
    pages = [one for one in backend.exporter.get_finished_spans() if one.name == "of a page"]
    scroll = backend.span("scroll db.default")
    assert [one.parent.span_id for one in pages] == [scroll.context.span_id] * 2


async def test_calls_and_durations_are_counted_by_outcome(backend):
    store = Store()
    await store.fetch("SELECT 1")
    store.fault = OverloadedError("full")
    with pytest.raises(OverloadedError):
        await store.fetch("SELECT 1")
    calls = {point.attributes["outcome"]: point.value for point in points_of(backend)}
    assert calls == {"ok": 1, "overload": 1}
    assert [one.count for one in backend.points("db.client.operation.duration")] == [1, 1]


async def test_language_model_is_traced_by_the_conventions_for_them(backend):
    settings = ScriptedProvider.Settings(model="small")
    model = ScriptedProvider(settings, name="llm.default")
    assert [chunk async for chunk in model.stream_generate("Hello")]
    attributes = backend.span("stream_generate llm.default").attributes
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.provider.name"] == "scripted"
    assert attributes["gen_ai.request.model"] == "small"
    assert [one.count for one in backend.points("gen_ai.client.operation.duration")] == [1]


async def test_kind_that_is_no_known_database_has_a_duration_of_ours(backend):
    await Store(kind="hashing").fetch("x")
    (point,) = backend.points("switchgear.operation.duration")
    assert "db.system.name" not in point.attributes


def points_of(backend: Backend) -> list[Any]:
    return backend.points("switchgear.operations")


async def test_disabled_again_nothing_is_recorded(backend):
    telemetry.disable()
    await Store().fetch("SELECT 1")
    assert [one.name for one in backend.exporter.get_finished_spans()] == ["of the driver"]


def test_missing_package_tells_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "infrastructure.observability.opentelemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r'pip install "switchgear\[telemetry\]"'):
        telemetry.enable()


NOTICED = """
import asyncio, sys
from types import SimpleNamespace
from infrastructure.component import Component
from infrastructure.observability.telemetry import hook

class Store(Component):
    operations = frozenset({"fetch"})
    async def fetch(self): await self.connect()
    async def _open(self): ...
    async def _close(self): ...
    async def _ping(self): return ""

store = Store(SimpleNamespace(kind="redis", connect_timeout_seconds=1))
asyncio.run(store.fetch())
assert "opentelemetry" not in sys.modules and not hook.on

from opentelemetry import trace
asyncio.run(store.fetch())
assert not hook.on

from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
asyncio.run(store.fetch())
assert hook.on
"""


def test_provider_of_the_host_is_noticed_when_a_component_opens():
    """In a process of its own: a provider is set once and for all."""
    subprocess.run([sys.executable, "-c", NOTICED], check=True)


async def test_opening_is_a_span_below_the_call_that_needed_it(backend):
    class Lazy(Store):
        operations = frozenset({"get"})

        async def get(self) -> None:
            await self.connect()

    await Lazy().get()
    outer, inner = backend.span("get db.default"), backend.span("connect db.default")
    assert inner.parent.span_id == outer.context.span_id
    assert "db.operation.name" not in inner.attributes
    assert len(backend.points("db.client.operation.duration")) == 1


async def test_calls_of_a_session_are_spans_of_their_component(backend):
    manager = SqliteConnectionManager(SqliteSettings(path=":memory:"), name="db.default")
    async with manager, manager.session() as session:
        await session.execute(text("SELECT 'a secret'"))
    names = [span.name for span in backend.exporter.get_finished_spans()]
    assert names[:3] == [
        "connect db.default",
        "session.execute db.default",
        "session.commit db.default",
    ]
    assert "a secret" not in str(backend.span("session.execute db.default").attributes)
