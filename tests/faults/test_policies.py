"""A language model that fails, behind the policy its block names: from HTTP to HTTP.

The model's server, the container, the application and what watches them are real.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from containers import Container
from containers.integrations import errors
from containers.integrations import fastapi as scopes
from containers.monitoring import measured
from infrastructure.observability import telemetry
from infrastructure.observability.prometheus import metrics_app
from tests.faults.openai_server import OpenAIServer, completion, refused

DOWN = refused(503, None, "hunter2 is down")
OPEN_SECONDS = 0.5
BREAKER = 'switchgear_resilience_breaker_state{{component="llm.default.breaker",state="{}"}} 1.0'
#: Two tries a call; two failed calls open the circuit.
POLICY = {
    "retry": {"max_attempts": 2, "initial_delay_seconds": 0.001, "budget_fraction": None},
    "breaker": {
        "failure_rate": 1,
        "window_calls": 4,
        "minimum_calls": 4,
        "open_seconds": OPEN_SECONDS,
        "jitter": 0,
    },
}


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(completion("Hello")) as server:
        yield server


@pytest.fixture
def container(server: OpenAIServer, log: Path) -> Any:
    model = {"kind": "openai", "base_url": server.url, "api_key": "sk-secret", "policy": "flaky"}
    overrides: dict[str, Any] = {f"llm.default.{name}": value for name, value in model.items()}
    overrides |= {"resilience.policies.flaky": POLICY, "logging.file.path": str(log)}
    return Container(profile="test", overrides=overrides)


class Spans(InMemorySpanExporter):
    """What was exported, and the provider that the host has."""

    def __init__(self) -> None:
        super().__init__()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self))

    def named(self, name: str) -> list[Any]:
        return [span for span in self.get_finished_spans() if span.name == name]


@pytest.fixture
def spans() -> Iterator[Spans]:
    spans = Spans()
    telemetry.enable(tracer_provider=spans.tracers)
    yield spans
    telemetry.disable()
    spans.tracers.shutdown()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the container writes its lines, as JSON."""
    return tmp_path / "app.log"


@pytest.fixture
async def client(container: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Of an application that asks the model, and serves its measurements."""
    app = FastAPI()
    scopes.setup(app, container)
    errors.setup(app)

    @app.get("/ask")
    async def ask() -> str:
        answer = await container.llm.default().generate("Hi")
        return str(answer.content)

    app.mount("/metrics", metrics_app(lambda: measured(container)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://app") as client,
    ):
        yield client


async def _break(client: httpx.AsyncClient, server: OpenAIServer) -> None:
    """Let calls fail until the circuit is open."""
    server.reply = DOWN
    for _ in range(2):
        assert (await client.get("/ask")).status_code == 503


async def test_what_fails_is_tried_again_and_counted(
    client: httpx.AsyncClient, server: OpenAIServer
) -> None:
    server.reply = DOWN
    assert (await client.get("/ask")).status_code == 503
    assert len(server.requests) == 2
    page = (await client.get("/metrics/")).text
    labels = '{attempt="2",component="llm.default.retry"}'
    assert f"switchgear_resilience_retry_retries_total{labels} 1.0" in page
    assert BREAKER.format("closed") in page


async def test_an_open_circuit_refuses_at_once_and_says_when_to_come_again(
    client: httpx.AsyncClient, server: OpenAIServer
) -> None:
    await _break(client, server)
    asked = len(server.requests)
    started = time.perf_counter()
    answer = await client.get("/ask", headers={"X-Correlation-ID": "ours-1"})
    assert time.perf_counter() - started < OPEN_SECONDS
    assert len(server.requests) == asked
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert 0 < int(answer.headers["retry-after"]) <= 1
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"] == "ours-1"
    assert "hunter2" not in answer.text
    page = (await client.get("/metrics/")).text
    assert BREAKER.format("open") in page


async def test_a_probe_that_succeeds_closes_the_circuit(
    client: httpx.AsyncClient, server: OpenAIServer
) -> None:
    await _break(client, server)
    server.reply = completion("Hello")
    async with asyncio.timeout(10):
        while (answer := await client.get("/ask")).status_code == 503:  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.01)
    assert answer.json() == "Hello"
    page = (await client.get("/metrics/")).text
    assert BREAKER.format("closed") in page


async def test_a_call_is_one_span_with_its_category_however_often_it_is_tried(
    client: httpx.AsyncClient, server: OpenAIServer, spans: Spans
) -> None:
    await _break(client, server)
    await client.get("/ask")
    found = spans.named("generate llm.default")
    told = [span.attributes["outcome"] for span in found]
    assert told == ["transient", "transient", "overload"]
    assert {span.status.status_code for span in found} == {StatusCode.ERROR}
    assert "hunter2" not in json.dumps([span.to_json() for span in found])


async def test_answer_and_line_have_the_callers_id_and_line_and_span_one_trace(
    client: httpx.AsyncClient, server: OpenAIServer, spans: Spans, log: Path
) -> None:
    server.reply = DOWN
    with trace.get_tracer("host", tracer_provider=spans.tracers).start_as_current_span("request"):
        answer = await client.get("/ask", headers={"X-Correlation-ID": "ours-2"})
    (line,) = [each for each in _lines(log) if each["event"] == "failed"]
    assert answer.headers["x-correlation-id"] == line["correlation_id"] == "ours-2"
    (call,) = spans.named("generate llm.default")
    assert line["trace_id"] == format(call.context.trace_id, "032x")


async def test_the_span_of_a_call_has_the_callers_id(
    client: httpx.AsyncClient, spans: Spans
) -> None:
    await client.get("/ask", headers={"X-Correlation-ID": "ours-3"})
    (call,) = spans.named("generate llm.default")
    assert "ours-3" in call.attributes.values()


async def test_a_line_says_the_id_once(
    client: httpx.AsyncClient, server: OpenAIServer, log: Path
) -> None:
    server.reply = DOWN
    await client.get("/ask", headers={"X-Correlation-ID": "ours-4"})
    (line,) = [each for each in _lines(log) if each["event"] == "failed"]
    assert json.dumps(line).count("ours-4") == 1


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]
