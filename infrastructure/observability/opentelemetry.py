"""Spans and metrics of every call through the OpenTelemetry API; the only file that knows it."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import context, metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from infrastructure.errors import Category, classify
from infrastructure.observability.logging.context import current_correlation_id
from infrastructure.observability.metrics import COMPONENT, CONNECT, KIND, OPERATION, OUTCOME
from infrastructure.observability.telemetry import Observable

_SCOPE = "switchgear"
_DATABASE = "db.system.name"
_MODEL = "gen_ai.provider.name"
#: What the conventions call the systems behind our kinds.
_SYSTEMS = {
    "dynamodb": "aws.dynamodb",
    "memcached": "memcached",
    "mongodb": "mongodb",
    "pgvector": "postgresql",
    "postgres": "postgresql",
    "qdrant": "qdrant",
    "redis": "redis",
    "sqlite": "sqlite",
}
_OF_MODELS = {"embed": "embeddings", "generate": "chat", "stream_generate": "chat"}
#: The histogram of what has this attribute; in this order, as the conventions name them.
_DURATIONS = {
    _DATABASE: "db.client.operation.duration",
    _MODEL: "gen_ai.client.operation.duration",
    "": "switchgear.operation.duration",
}

Attributes = dict[str, str]


def is_provided() -> bool:
    """Whether the host has set a tracer provider that does something."""
    provider = trace.get_tracer_provider()
    return not isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider))


class OpenTelemetryListener:
    """A client span, a duration and a count of each call.

    The span is current while the call runs, so that what the vendor's client traces hangs below
    it. No argument, no result and no error's text is in it: of an error, its class and category.
    """

    def __init__(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self.tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self.clock = clock
        self.calls = meter.create_counter("switchgear.operations", "{call}")
        self.durations = {
            attribute: meter.create_histogram(name, "s") for attribute, name in _DURATIONS.items()
        }
        self._known: WeakKeyDictionary[Observable, Attributes] = WeakKeyDictionary()

    def begin(self, component: Observable, operation: str) -> "SpanWatch":
        """Start the span, as a child of the one that is current."""
        labels = {**self._attributes(component), OPERATION: operation}
        if operation == CONNECT:
            pass  # the conventions' operations are those on an open connection
        elif _DATABASE in labels:
            labels["db.operation.name"] = operation
        elif _MODEL in labels:
            labels["gen_ai.operation.name"] = _OF_MODELS.get(operation, operation)
        name = f"{operation} {component.name}"
        span = self.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=labels)
        if (called_for := current_correlation_id()) is not None:
            span.set_attribute("correlation_id", called_for)  # of the span alone: it is no label
        return SpanWatch(self, span, labels)

    def _attributes(self, component: Observable) -> Attributes:
        found = self._known.get(component)
        if found is None:
            found = self._known[component] = _attributes(component)
        return found


class SpanWatch:
    """One call's span."""

    __slots__ = ("_labels", "_listener", "_span", "_started", "_token")

    def __init__(self, listener: OpenTelemetryListener, span: Span, labels: Attributes) -> None:
        self._listener = listener
        self._span = span
        self._labels = labels
        self._token: Any = None
        self._started = listener.clock()

    def resume(self) -> None:
        """Make the span the current one."""
        self._token = context.attach(trace.set_span_in_context(self._span))

    def pause(self) -> None:
        """Make the one before current again."""
        context.detach(self._token)

    def end(self, error: BaseException | None) -> None:
        """Record how it went."""
        seconds = self._listener.clock() - self._started
        outcome = _outcome(error)
        self._span.set_attribute(OUTCOME, outcome)
        if error is not None:
            self._labels["error.type"] = type(error).__qualname__
            self._span.set_attribute("error.type", type(error).__qualname__)
            if outcome != Category.CANCELLED:
                self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()
        labels = {**self._labels, OUTCOME: outcome}
        self._listener.calls.add(1, labels)
        self._duration().record(seconds, labels)

    def _duration(self) -> Any:
        durations = self._listener.durations
        if self._labels[OPERATION] == CONNECT:
            return durations[""]
        return next((durations[one] for one in durations if one in self._labels), durations[""])


def _attributes(component: Observable) -> Attributes:
    kind = str(component.settings.kind)
    known: Mapping[str, str] = {_DATABASE: _SYSTEMS[kind]} if kind in _SYSTEMS else {}
    return {COMPONENT: component.name, KIND: kind, **known, **component.trace_attributes()}


def _outcome(error: BaseException | None) -> str:
    return "ok" if error is None else str(classify(error))
