"""Measurements in Prometheus' text, as its own parser reads it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infrastructure.component import Component
from infrastructure.errors import OverloadedError
from infrastructure.observability import telemetry
from infrastructure.observability.calls import CallDurations
from infrastructure.observability.metrics import Instrument, Measurement, counter, gauge
from infrastructure.observability.prometheus import metrics_app, prometheus_text


class Counting:
    """Measures what it is given."""

    def __init__(self, *measurements: Measurement) -> None:
        self._measurements = measurements

    def measurements(self) -> Any:
        return self._measurements


class Broken:
    """Cannot be asked."""

    def measurements(self) -> Any:
        yield counter("before.the.fault", 1)
        raise RuntimeError("no")


def parsed(*measured: Any) -> dict[str, Any]:
    text = prometheus_text(measured).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(family: Any) -> dict[str, float]:
    return {sample.name: sample.value for sample in family.samples}


def test_counter_ends_with_total_and_has_its_type():
    families = parsed(Counting(counter("switchgear.cache.hits", 3, {"component": "cache"})))
    family = families["switchgear_cache_hits"]
    assert (family.type, samples(family)) == ("counter", {"switchgear_cache_hits_total": 3})
    assert family.samples[0].labels == {"component": "cache"}


def test_unit_follows_the_name():
    families = parsed(Counting(gauge("pool.wait", 0.5, unit="s"), gauge("used", 7, unit="By")))
    assert {"pool_wait_seconds", "used_bytes"} < set(families)


def test_labels_survive_whatever_is_in_them():
    odd = 'a "quoted" \\ value\nwith a line'
    families = parsed(Counting(gauge("odd", 1, {"db.client.state": odd})))
    assert families["odd"].samples[0].labels == {"db_client_state": odd}


def test_each_name_is_described_once():
    counting = [Counting(gauge("size", one, {"component": str(one)})) for one in range(3)]
    text = prometheus_text(counting).decode()
    assert (text.count("# TYPE size"), text.count("# HELP size"), text.count("\nsize{")) == (
        1,
        1,
        3,
    )


def test_counters_of_the_same_labels_are_added_and_of_gauges_the_last_counts():
    families = parsed(
        Counting(counter("hits", 1), gauge("size", 1)),
        Counting(counter("hits", 2), gauge("size", 5)),
    )
    assert samples(families["hits"]) == {"hits_total": 3}
    assert samples(families["size"]) == {"size": 5}


def test_histogram_has_its_buckets_sum_and_count():
    buckets = ((0.1, 1), (float("inf"), 3))
    histogram = Measurement("wait", Instrument.HISTOGRAM, 4.5, "s", buckets=buckets)
    family = parsed(Counting(histogram))["wait_seconds"]
    assert family.type == "histogram"
    assert [(one.labels["le"], one.value) for one in family.samples if one.labels] == [
        ("0.1", 1),
        ("+Inf", 3),
    ]
    known = samples(family)
    assert (known["wait_seconds_sum"], known["wait_seconds_count"]) == (4.5, 3)


def test_one_that_cannot_be_asked_takes_no_others_along():
    families = parsed(Broken(), Counting(gauge("size", 1)))
    assert "size" in families
    assert samples(families["switchgear_metrics_failures"]) == {"switchgear_metrics_failures": 1}


def test_name_that_is_none_takes_no_others_along():
    families = parsed(Counting(gauge("", 1)), Counting(gauge("size", 1)))
    assert "size" in families


def test_name_of_two_kinds_is_counted_as_a_failure():
    families = parsed(Counting(counter("size", 1), gauge("size", 1)))
    assert samples(families["switchgear_metrics_failures"]) == {"switchgear_metrics_failures": 1}


class Store(Component):
    operations = frozenset({"get"})

    async def get(self, fault: Exception | None = None) -> None:
        if fault:
            raise fault

    async def _open(self) -> None: ...

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return ""


async def test_calls_of_components_are_measured_without_opentelemetry():
    store = Store(SimpleNamespace(kind="redis"), name="cache.default")
    telemetry.listen(calls := CallDurations())
    try:
        await store.get()
        with pytest.raises(OverloadedError):
            await store.get(OverloadedError("full"))
    finally:
        telemetry.leave(calls)
    family = parsed(calls)["switchgear_operation_duration_seconds"]
    counts = [one for one in family.samples if one.name.endswith("_count")]
    assert [one.labels["outcome"] for one in counts] == ["ok", "overload"]
    assert counts[0].labels == {
        "component": "cache.default",
        "kind": "redis",
        "operation": "get",
        "outcome": "ok",
    }


async def test_series_of_calls_are_bounded():
    calls = CallDurations(max_series=1)
    for number in range(3):
        calls.record((f"cache.{number}", "redis", "get"), 0.1, "ok")
    assert [one.labels["component"] for one in calls.measurements()] == ["cache.0", "other"]


async def requested(app: Any, method: str = "GET") -> tuple[Any, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": method}, None, send)
    return sent[0], sent[1]["body"]


async def test_application_answers_with_what_there_is_now():
    counting: list[Any] = []
    app = metrics_app(lambda: counting)
    counting.append(Counting(gauge("size", 1)))
    start, body = await requested(app)
    assert (start["status"], b"\nsize 1.0" in body) == (200, True)
    assert dict(start["headers"])[b"content-type"].startswith(b"text/plain")


async def test_application_may_have_to_wait_for_what_counts():
    async def found() -> list[Any]:
        await asyncio.sleep(0)
        return [Counting(gauge("size", 1))]

    _, body = await requested(metrics_app(found))
    assert b"\nsize 1.0" in body


async def test_only_reading_is_answered():
    start, body = await requested(metrics_app([]), "POST")
    assert (start["status"], body) == (405, b"")


def test_labels_that_are_prometheus_own_and_texts_that_cannot_be_written_harm_no_page():
    odd = gauge("odd", 1, {"__name__": "forged", "le": "1", "text": "\ud800" + "x" * 1_000})
    families = parsed(Counting(odd), Counting(gauge("fine", 1)))
    labels = families["odd"].samples[0].labels
    assert set(labels) == {"own_name__", "own_le", "text"}
    assert len(labels["text"]) < 300
    assert "fine" in families
