"""Every value knows where it came from."""

from pathlib import Path

import pytest

from infrastructure.config.origins import Layer, Origin, Source, shown
from infrastructure.errors import ConfigurationError

YAML = """\
cache:
  instances:
    one:
      text: ${A:x}
      kind: fake
      labels:
        x: plain
      tags:
        - a
        - ${A:x}
"""

PLACES = [
    ("cache.instances.one.text", 4),
    ("cache.instances.one.kind", 5),
    ("cache.instances.one", 5),
    ("cache.instances.one.labels.x", 7),
    ("cache.instances.one.tags", 9),
    ("cache.instances.one.tags.1", 10),
]


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_origin_is_file_and_line(host, path, line):
    origin = host.load(YAML, environ={"A": "a"}).origin(path)
    assert str(origin) == f"conf/application-test.yaml:{line}"
    assert (origin.layer, origin.line) == (Layer.HOST, line)


def test_origin_has_the_column_and_the_profile(host):
    host.write("profiles/p.yaml", "app:\n  name: x\n")
    origin = host.load(profile="p").origin("app.name")
    assert (origin.layer, origin.profile, origin.line, origin.column) == (
        Layer.HOST_PROFILE,
        "p",
        2,
        9,
    )


def test_origin_names_the_variable_and_whether_it_is_set(host):
    path = "cache.instances.one.text"
    assert (
        host.load(YAML, environ={"A": "a"}).origin(path).references[0].source is Source.ENVIRONMENT
    )
    origin = host.load(YAML).origin(path)
    assert (origin.variable, origin.references[0].source) == ("A", Source.DEFAULT)


def test_value_that_nobody_set_is_the_default_of_its_model(host):
    assert str(host.load(YAML).origin("cache.instances.one.count")) == "model default"


def test_override_is_its_own_origin(host):
    assert str(host.load(overrides={"app.name": "x"}).origin("app.name")) == "override"


@pytest.mark.parametrize("path", ["", "cache.defalt", "cache.default.ttl_second", "app.name.x"])
def test_path_that_does_not_exist_is_an_error(host, path):
    with pytest.raises(ConfigurationError, match="there is no setting"):
        host.load().origin(path)


def test_every_value_of_the_yaml_has_an_origin(host):
    origins = host.load(YAML, environ={"A": "a"}).origins()
    assert {path for path, _ in PLACES} <= set(origins)


def test_file_below_the_working_directory_is_shown_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(str(tmp_path / "a" / "b.yaml")) == str(Path("a", "b.yaml"))
    assert shown("/elsewhere/b.yaml") == "/elsewhere/b.yaml"
    assert str(Origin(Layer.PACKAGED)) == "packaged base"
