"""How text becomes a value: YAML 1.2 for plain scalars, the field's type for everything else."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from pydantic import create_model

from infrastructure.config import binding
from infrastructure.config.document import Place, parse
from infrastructure.config.nodes import Scalar
from infrastructure.config.origins import Layer, Origin

PLAIN = [
    ("NO", "NO"),
    ("no", "no"),
    ("off", "off"),
    ("010", 10),
    ("08", 8),
    ("0o14", 12),
    ("0x10", 16),
    ("1e3", 1000.0),
    ("1_000", "1_000"),
    ("12:30:45", "12:30:45"),
    ("2026-01-01", "2026-01-01"),
    (".5", 0.5),
    ("-3", -3),
    ("+1.", 1.0),
    ("true", True),
    ("False", False),
    ("tRUE", "tRUE"),
    ("''", ""),
    ('"5"', "5"),
    ("!", ""),
    ("-.inf", float("-inf")),
    ("9" * 5000, "9" * 5000),
]


@pytest.mark.parametrize(("yaml", "expected"), PLAIN)
def test_scalar_without_a_type_is_read_by_yaml_1_2(host, yaml, expected):
    found = host.block(f"anything: {yaml}").anything
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("yaml", ["", "~", "null", "Null", "NULL", "# nothing"])
def test_null_is_the_default_of_the_model(host, yaml):
    assert host.block(f"text: {yaml}\ncount: {yaml}").text == "model"


@pytest.mark.parametrize("text", ["0123", "1e3", "true", "0x10", ".5", "1_000", "no", "2026-01-01"])
def test_field_of_text_has_the_text_as_written(host, text):
    block = host.block(f"text: {text}\nmaybe: {text}\ntags: [{text}]\nlabels: {{a: {text}}}")
    assert (block.text, block.maybe, block.tags, block.labels) == (text, text, (text,), {"a": text})


TYPED = [
    ("count", "08", 8),
    ("count", "1_000", 1000),
    ("count", "0x10", None),
    ("count", "1e3", None),
    ("count", "", None),
    ("count", "true", None),
    ("count", "-1", None),
    ("ratio", "1e3", 1000.0),
    ("ratio", "nan", None),
    ("ratio", "inf", None),
    ("flag", "no", False),
    ("flag", "off", False),
    ("flag", "TRUE", True),
    ("flag", "2", None),
    ("text", "08", "08"),
    ("text", "null", "null"),
    ("text", "", ""),
    ("anything", "5", "5"),
    ("either", "5", "5"),
    ("tags", '["a", "b"]', ("a", "b")),
    ("tags", "a,b", None),
    ("numbers", "[1,2", None),
    ("numbers", "[1, 2]", [1, 2]),
    ("labels", '{"a": "b"}', {"a": "b"}),
    ("inner", '{"size": 3}', "size=3 name=''"),
    ("inner", '{"sise": 3}', None),
    ("inners", "[" * 100_000, None),
]


@pytest.mark.parametrize(("field", "text", "expected"), TYPED)
def test_text_of_a_variable_is_converted_by_the_type_of_the_field(
    host, problems_of, field, text, expected
):
    environ = {"V": text}
    if expected is None:
        assert "V" in problems_of(host.block, f"{field}: ${{V}}", environ=environ)
    else:
        found = getattr(host.block(f"{field}: ${{V}}", environ=environ), field)
        assert found == expected or str(found) == expected


LITERALS = [
    ("count", "0x10", 16),
    ("count", "0o10", 8),
    ("count", "true", None),
    ("count", '"7"', 7),
    ("count", "1.5", None),
    ("ratio", "3", 3.0),
    ("ratio", "true", None),
    ("ratio", ".nan", None),
    ("flag", "1", True),
    ("flag", "no", False),
    ("either", "5", 5),
    ("either", '"5"', "5"),
    ("either", "x", "x"),
    ("text", "[a]", None),
    ("text", "{a: b}", None),
    ("tags", "a", None),
    ("inner", "5", None),
    ("inner", "[1]", None),
]


@pytest.mark.parametrize(("field", "yaml", "expected"), LITERALS)
def test_literal_of_yaml_is_held_to_the_type_of_the_field(host, problems_of, field, yaml, expected):
    if expected is None:
        assert f"cache.instances.one.{field}" in problems_of(host.block, f"{field}: {yaml}")
    else:
        found = getattr(host.block(f"{field}: {yaml}"), field)
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (Decimal, "0.10", Decimal("0.10")),
        (dt.date, "2026-01-01", dt.date(2026, 1, 1)),
        (dt.timedelta, "PT90S", dt.timedelta(seconds=90)),
        (bytes, "0123", b"0123"),
        (list[list[str]], "[[01]]", [["01"]]),
        (dict[str, list[int]], "{a: [08]}", {"a": [8]}),
        (bool | str, "true", True),
        (float | None, "1e3", 1000.0),
    ],
)
def test_other_types_read_the_text_they_would_read_from_a_variable(annotation, text, expected):
    model: Any = create_model("M", value=(annotation, ...))
    node = parse(f"value: {text}", Place("x", Layer.HOST)).items["value"]
    data = binding.Binder(None).bind(node, annotation, "value")  # type: ignore[arg-type] # no unknown keys here
    assert model(value=data).value == expected


def test_text_that_is_not_plain_is_never_typed():
    node = Scalar("5", Origin(Layer.ENVIRONMENT, name="X"))
    assert binding.read(node, Any) == "5"
