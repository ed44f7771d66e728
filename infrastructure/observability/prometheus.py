"""Measurements as Prometheus reads them; the only file that knows its client."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString

from infrastructure.observability.metrics import Instrument, Measured, Measurement

#: What is asked: things that count, or a function that says which there are now.
Source = Iterable[Measured] | Callable[[], Iterable[Measured] | Awaitable[Iterable[Measured]]]

_UNITS = {"s": "seconds", "By": "bytes", "ms": "milliseconds", "%": "percent"}
#: A label is a word or a path; what is longer is somebody's text.
_MAX_CHARACTERS = 200
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_Labels = tuple[tuple[str, str], ...]


def prometheus_text(measured: Iterable[Measured]) -> bytes:
    """The measurements in Prometheus' text format.

    Dots in names become underscores, a unit follows the name, and `_total` a counter's. Counters
    and histograms of the same name and labels are added up, of gauges the last counts. What
    raises when it is asked, or gives what has no place beside the others, is left out and counted
    as `switchgear_metrics_failures`.
    """
    page = _Page()
    for one in measured:
        page.ask(one)
    return generate_latest(page)


def metrics_app(source: Source) -> Any:
    """An ASGI application that answers every GET with the measurements of now.

    Mount it: `app.mount("/metrics", metrics_app(things))`. It is for a port or a path that only
    the scraper reaches; names of components and counts of calls are in it.

    Args:
        source: Things that count; or a function, async or not, that says which there are.
    """

    async def serve(connection: Any, _receive: Any, send: Any) -> None:
        if connection["type"] != "http":
            raise RuntimeError(f"metrics are served over http, not {connection['type']}")
        is_read = connection["method"] in {"GET", "HEAD"}
        body = prometheus_text(await _asked(source)) if is_read else b""
        content = (b"content-type", CONTENT_TYPE_LATEST.encode())
        headers = [content] if is_read else [(b"allow", b"GET, HEAD")]
        length = (b"content-length", str(len(body)).encode())
        start = {"type": "http.response.start", "status": 200 if is_read else 405}
        await send({**start, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": body})

    return serve


async def _asked(source: Source) -> Iterable[Measured]:
    found: Any = source() if callable(source) else source
    return await found if inspect.isawaitable(found) else found  # type: ignore[no-any-return]  # as declared


class _Page:
    """The families of one answer, by name."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}
        self._failures = 0

    def ask(self, measured: Measured) -> None:
        try:
            for one in measured.measurements():
                self._add(one)
        except Exception:  # noqa: BLE001 - one that is broken takes no others along
            self._failures += 1

    def collect(self) -> Iterator[Metric]:
        """What the client writes."""
        for family in self._families.values():
            yield family.metric()
        failures = Metric("switchgear_metrics_failures", "Could not be asked.", "gauge")
        failures.add_sample("switchgear_metrics_failures", {}, self._failures)
        yield failures

    def _add(self, one: Measurement) -> None:
        family = self._families.setdefault(_name(one), _Family(one))
        if family.kind is one.kind:
            family.add(one)
        else:
            self._failures += 1


class _Family:
    """Measurements of one name."""

    def __init__(self, first: Measurement) -> None:
        self.kind = first.kind
        self._name = _name(first)
        self._metric = Metric(
            self._name, _writable(first.description or first.name), str(first.kind)
        )
        self._members: dict[_Labels, Measurement] = {}
        self._sums: dict[_Labels, float] = {}
        self._buckets: dict[_Labels, dict[float, int]] = {}

    def add(self, one: Measurement) -> None:
        labels = _labels(one)
        before = 0.0 if self.kind is Instrument.GAUGE else self._sums.get(labels, 0.0)
        self._sums[labels] = before + one.value
        buckets = self._buckets.setdefault(labels, {})
        for bound, count in one.buckets:
            buckets[bound] = buckets.get(bound, 0) + count

    def metric(self) -> Metric:
        suffix = {Instrument.COUNTER: "_total", Instrument.HISTOGRAM: "_sum"}.get(self.kind, "")
        for labels, total in self._sums.items():
            if self.kind is Instrument.HISTOGRAM:
                self._write_buckets(labels)
            self._metric.add_sample(f"{self._name}{suffix}", dict(labels), total)
        return self._metric

    def _write_buckets(self, labels: _Labels) -> None:
        count = 0
        for bound, count in sorted(self._buckets[labels].items()):
            known = {**dict(labels), "le": floatToGoString(bound)}  # type: ignore[no-untyped-call]  # the vendor's
            self._metric.add_sample(f"{self._name}_bucket", known, count)
        self._metric.add_sample(f"{self._name}_count", dict(labels), count)


def _name(one: Measurement) -> str:
    name = _NOT_IN_A_NAME.sub("_", one.name).removesuffix("_total")
    unit = _UNITS.get(one.unit, "")
    return name if not unit or name.endswith(f"_{unit}") else f"{name}_{unit}"


def _labels(one: Measurement) -> _Labels:
    return tuple((_label_name(key), _writable(str(text))) for key, text in one.labels.items())


def _label_name(key: str) -> str:
    """The key as Prometheus takes it; those that are its own get another name."""
    name = _NOT_IN_A_NAME.sub("_", key)
    return f"own_{name.lstrip('_')}" if name == "le" or name.startswith("__") else name


def _writable(text: str) -> str:
    # A lone surrogate cannot be written as UTF-8.
    return text[:_MAX_CHARACTERS].encode(errors="backslashreplace").decode()
