import math
import re
import struct
from collections import OrderedDict as Ordered
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.cache.snapshots import Snapshot
from infrastructure.errors import DataError, UnsupportedError
from infrastructure.serialization import decode, encode

BERLIN = ZoneInfo("Europe/Berlin")
OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
ZONES = st.one_of(st.none(), st.just(UTC), st.just(BERLIN), OFFSETS)
KEYS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=[])),
        st.binary(),
        st.decimals(allow_nan=False),
        st.datetimes(timezones=ZONES, allow_imaginary=False),
        st.dates(),
        st.times(timezones=st.one_of(st.none(), OFFSETS)),
        st.timedeltas(),
        st.uuids(),
    ),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
TREES = st.recursive(
    KEYS | st.sets(KEYS, max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


class Text(str):
    __slots__ = ()


class Nowhere(tzinfo):
    """A zone that Python takes for none."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


class Half(tzinfo):
    """A zone that is no `ZoneInfo`, half an hour and some microseconds off."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(minutes=30, microseconds=7)

    dst = utcoffset

    def tzname(self, _: datetime | None) -> str:
        return "half"


class Point(NamedTuple):
    x: int


def _shape(value: Any) -> Any:
    """The value with every type spelled out, so that 1, 1.0 and True differ."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return kind, [(_shape(key), _shape(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return kind, [_shape(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return kind, sorted(map(repr, map(_shape, value)))
    return kind, repr(value)


@given(TREES)
def test_what_is_read_equals_what_was_written_with_types(value: Any) -> None:
    found = decode(encode(value))
    assert found == value
    assert _shape(found) == _shape(value)


@given(TREES)
def test_a_snapshot_thaws_to_the_same(value: Any) -> None:
    assert _shape(Snapshot(value).get()) == _shape(value)


@given(TREES, st.data())
def test_any_cut_is_found(value: Any, data: st.DataObject) -> None:
    written = encode(value)
    end = data.draw(st.integers(0, len(written) - 1))
    with pytest.raises(DataError):
        decode(written[:end])


@given(TREES, st.data())
def test_any_changed_byte_is_found(value: Any, data: st.DataObject) -> None:
    written = bytearray(encode(value))
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DataError):
        decode(bytes(written))


@given(st.binary())
def test_foreign_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(DataError):
        decode(data)


def test_plain_msgpack_is_foreign() -> None:
    with pytest.raises(DataError, match="not written by this codec"):
        decode(msgspec.msgpack.encode({"a": 1}))


def test_another_version_is_refused() -> None:
    written = encode(1)
    with pytest.raises(DataError):
        decode(written[:3] + b"\x02" + written[4:])


def test_the_error_names_where_it_was_read() -> None:
    with pytest.raises(DataError, match=r"^cache\.default: "):
        decode(b"", where="cache.default")


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-0", "1E+400", "-Infinity", "1.10"])
def test_every_decimal_keeps_its_digits(text: str) -> None:
    assert str(decode(encode(Decimal(text)))) == text


def test_nan_is_read_as_nan() -> None:
    assert math.isnan(decode(encode(float("nan"))))


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
def test_integers_around_the_machines_limits_are_exact(number: int) -> None:
    assert decode(encode(number)) == number


@pytest.mark.parametrize("fold", [0, 1])
def test_a_zone_and_the_hour_that_happens_twice_survive(fold: int) -> None:
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    found = decode(encode(moment))
    assert (found.tzinfo, found.fold, found.utcoffset()) == (BERLIN, fold, moment.utcoffset())


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "object"),
        (Text("red"), "Text"),
        (Ordered(), "OrderedDict"),
        (memoryview(b""), "memoryview"),
        (Point(1), "Point"),
        (bytearray(), "bytearray"),
        (ValueError(), "ValueError"),
        (time(1, tzinfo=BERLIN), "datetime.time"),
        (datetime(2026, 1, 1, tzinfo=Nowhere()), "datetime.datetime"),
        ({Text("red"): 1}, "Text"),
        ([{"a": [Ordered()]}], "OrderedDict"),
    ],
)
def test_a_type_that_would_not_survive_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        encode(value)
    with pytest.raises(UnsupportedError, match=named):
        Snapshot(value)


def test_a_zone_of_another_class_keeps_the_instant_and_the_offset() -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=Half())
    found = decode(encode(moment))
    assert (found, found.utcoffset()) == (moment, moment.utcoffset())


@pytest.mark.parametrize("number", [-0.0, 5e-324, float("inf")])
def test_every_float_keeps_its_bits(number: float) -> None:
    assert struct.pack("d", decode(encode([number, (number,)]))[0]) == struct.pack("d", number)
    assert struct.pack("d", decode(encode((number,)))[0]) == struct.pack("d", number)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": 1, 2: object()}, "value[2]"),
        ({2: {"é": {3: [object()]}}}, "value[2]['é'][3][0]"),
        ({"a": {Text("b"): 1}}, "value['a'][<Text>]"),
    ],
)
def test_the_refusal_shows_each_step_once(value: Any, path: str) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(f"' at {path}. ")):
        encode(value)


def test_the_refusal_shows_the_path() -> None:
    with pytest.raises(UnsupportedError) as caught:
        encode({"users": [{"id": 1}, {"avatar": object()}]}, where="cache.default")
    text = "cache.default: cannot store a 'object' at value['users'][1]['avatar']. "
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("times", [1, 2, 10_000])
def test_a_value_that_contains_itself_is_refused(times: int) -> None:
    value: list[Any] = []
    value.extend([value] * times)
    with pytest.raises(UnsupportedError, match="contains itself"):
        encode(value)


def test_a_snapshot_of_an_unchangeable_value_is_the_value() -> None:
    text = "not copied"
    assert Snapshot(text).get() is text


def test_each_thaw_gives_objects_of_its_own() -> None:
    frozen = Snapshot([[1]])
    frozen.get()[0].append(2)
    assert frozen.get() == [[1]]
