"""The report: everything at once, each with its place and a way out."""

import copy

import pytest

from infrastructure.config import SettingsError
from infrastructure.config.problems import Problem
from infrastructure.errors import ConfigurationError

YAML = """\
app: {nam: x}
cach: {}
cache:
  defalt: {}
  instances:
    one:
      kind: fake
      count: -1
      flagg: true
      mode: ${MODE}
      text: a${NOWHERE}
    two: {kind: needy, needed: '${NEEDED}', number: x}
    three: {kind: reddis}
    four: {count: 1}
    five: text
logging:
  level: loud
"""

EXPECTED = """\
14 problems in the settings (profiles: test):

  app.nam (conf/application-test.yaml:1): unknown key. Did you mean 'name'? Known: debug, name.
  cach (conf/application-test.yaml:2): unknown key. Did you mean 'cache'? Known: app, cache, db, \
embeddings, external, features, llm, logging, paths, resilience, vector.
  cache.defalt (conf/application-test.yaml:4): unknown key. Did you mean 'default'? Known: \
default, instances.
  cache.instances.one.count (conf/application-test.yaml:8): should be greater than or equal to 0, \
found '-1'.
  cache.instances.one.flagg (conf/application-test.yaml:9): unknown key. Did you mean 'flag'? \
Known: …
  cache.instances.one.mode (conf/application-test.yaml:10): should be 'fast' or 'safe', found the \
text of MODE.
  cache.instances.one.text (conf/application-test.yaml:11): needs ${NOWHERE}, which is not set and \
stands inside other text. Set NOWHERE in the environment or in .env, or give it a default: \
${NOWHERE:...}.
  cache.instances.two.needed (conf/application-test.yaml:12): needs ${NEEDED}, which is not set. \
Set NEEDED in the environment or in .env.
  cache.instances.two.number (conf/application-test.yaml:12): should be a valid integer, found 'x'.
  cache.instances.two.token (conf/application-test.yaml:12): is required.
  cache.instances.three.kind (conf/application-test.yaml:13): unknown kind 'reddis'. Did you mean \
'redis'? Known: disk, fake, memcached, memory, needy, redis, tiered.
  cache.instances.four.kind (conf/application-test.yaml:14): is missing. Known: disk, fake, \
memcached, memory, needy, redis, tiered.
  cache.instances.five (conf/application-test.yaml:15): should be a mapping with a `kind`.
  logging.level (conf/application-test.yaml:17): should be 'TRACE', 'DEBUG', 'INFO', 'SUCCESS', \
'WARNING', 'ERROR' or 'CRITICAL', found 'loud'.

Correct each place above and load again; nothing was started."""


def test_report_has_everything_in_the_order_of_the_file(host, problems_of):
    report = problems_of(host.load, YAML, profile="test", environ={"MODE": "s3cret"})
    known = report[
        report.index("Known: anything") : report.index("\n", report.index("Known: anything"))
    ]
    assert report.replace(known, "Known: …") == EXPECTED


def test_problems_of_different_places_stand_apart(host, problems_of):
    host.write("application-a.yaml", "app: {nam: x}")
    environ = {"SWITCHGEAR__APP__NAEM": "x"}
    report = problems_of(host.load, "logging: {leve: x}", environ=environ)
    assert report.count("\n\n  ") == 3


def test_problem_has_its_parts(host):
    with pytest.raises(ConfigurationError) as caught:
        host.load("app: {debug: maybe}")
    assert isinstance(caught.value, SettingsError)
    assert caught.value.problems == (
        Problem(
            "conf/application-test.yaml:1", "app.debug", "should be a valid boolean, found 'maybe'"
        ),
    )


def test_report_survives_a_copy_and_another_process(host):
    with pytest.raises(SettingsError) as caught:
        host.load("app: {nam: x}", profile="test")
    for again in (copy.copy(caught.value), copy.deepcopy(caught.value)):
        assert (str(again), again.problems) == (str(caught.value), caught.value.problems)
        assert again.profiles == ("test",)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ("count: vis1ble", True),
        ("text: [vis1ble]", False),
        ("labels: {a: {b: vis1ble}}", False),
        ("count: redis://u:vis1ble@h", False),
        ("password: [vis1ble]", False),
        ("url: [vis1ble]", False),
        ("vis1ble: x", True),
        ("unknown: vis1ble", False),
        ("count: " + "vis1ble" * 20, False),
        ("kind: vis1ble", True),
    ],
)
def test_only_harmless_literals_are_shown(host, problems_of, fields, shown):
    block = fields if "kind" in fields else f"kind: fake, {fields}"
    report = problems_of(host.load, f"cache: {{instances: {{one: {{{block}}}}}}}")
    assert ("vis1ble" in report) is shown


def test_check_of_an_author_is_quoted_unless_it_quotes_a_secret(host, problems_of):
    fields = "kind: needy, needed: x, number: 1, token: t, quoted: '${V:me}'"
    yaml = f"cache: {{instances: {{one: {{{fields}}}}}}}"
    assert "does not like 'me'" in problems_of(host.load, yaml)
    report = problems_of(host.load, yaml, environ={"V": "s3cret"})
    assert "one.quoted (conf/application-test.yaml:1): is not valid (value_error)" in report
    assert "found the text of V" in report


def test_check_of_a_whole_block_names_the_variables_that_are_unset(host, problems_of):
    yaml = (
        "db:\n  instances:\n    one:\n      kind: postgres\n      url: ${URL}\n      user: ${USER}"
    )
    report = problems_of(host.load, yaml)
    assert "db.instances.one (conf/application-test.yaml:4): needs `url`" in report
    assert "Not set: URL, USER." in report


def test_unknown_kind_from_a_variable_is_told_by_the_variable(host, problems_of):
    yaml = "cache: {instances: {one: {kind: '${KIND:fake}'}}}"
    report = problems_of(host.load, yaml, environ={"KIND": "s3cret"})
    assert (
        "unknown kind from KIND. Known: disk, fake, memcached, memory, needy, redis, tiered."
        in report
    )
    assert "s3cret" not in report


def test_kind_whose_package_is_missing_is_told_with_the_extra(host, problems_of, monkeypatch):
    import sys

    from infrastructure.cache.base import CacheRegistry

    monkeypatch.setattr(CacheRegistry, "_builtin", CacheRegistry._builtin | {"nosuch"})
    monkeypatch.setitem(sys.modules, "nosuch_vendor", None)
    name = "infrastructure.cache.implementations.nosuch"
    monkeypatch.setattr(CacheRegistry, "_import_builtin", _import_without_vendor)
    report = problems_of(host.load, "cache: {instances: {one: {kind: nosuch}}}")
    assert "kind 'nosuch' needs the package 'nosuch_vendor'" in report
    assert 'pip install "switchgear[nosuch]"' in report
    assert name not in report


def _import_without_vendor(kind):
    from infrastructure.errors import MissingExtraError

    raise MissingExtraError(kind, "nosuch_vendor")


@pytest.mark.parametrize("part", ["cache", "db", "vector", "embeddings", "llm"])
@pytest.mark.parametrize("value", ["null", "{default: null}", "x", "[a]", "{instances: x}"])
def test_part_of_another_shape_is_a_problem(host, problems_of, part, value):
    host.write("profiles/p.yaml", f"{part}: {value}")
    assert f"  {part}" in problems_of(host.load, profile="p")
