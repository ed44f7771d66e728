"""Which layer wins, and what is left of the ones below."""

from pathlib import Path
from typing import Any

import pytest

from infrastructure.config import EnvironmentLoader, load_settings
from infrastructure.config.resources import packaged_folder

ONE = "cache.instances.one"


def block(fields: str, kind: str = "fake") -> str:
    return f"cache: {{instances: {{one: {{kind: {kind}, {fields}}}}}}}\n"


def test_every_layer_is_above_the_one_before(host):
    host.write("profiles/p.yaml", "app: {name: profile}\nlogging: {level: DEBUG}")
    (host.root / "secrets").mkdir()
    (host.root / "secrets" / "paths.data").write_text("secret\n")
    environ = {
        "SWITCHGEAR_SECRETS_DIR": "secrets",
        "SWITCHGEAR__APP__NAME": "variable",
        "SWITCHGEAR__PATHS__LOGS": "variable",
    }
    settings = host.load(
        "app: {name: base, debug: true}\npaths: {data: base, logs: base, results: base}",
        profile="p",
        environ=environ,
        overrides={"app": {"name": "override"}},
    )
    assert (settings.app.name, settings.app.debug) == ("override", True)
    assert settings.logging.level == "DEBUG"
    assert settings.paths.logs == Path("variable")
    assert settings.paths.data == Path("secret")
    assert settings.paths.results == Path("base")


def test_variable_is_above_the_secrets_directory(host):
    (host.root / "app.name").write_text("secret")
    environ = {"SWITCHGEAR_SECRETS_DIR": str(host.root), "SWITCHGEAR__APP__NAME": "variable"}
    (host.root / "conf").rename(host.root / ".conf")
    host.folder = host.root / ".conf"
    assert host.load(environ=environ).app.name == "variable"


def test_base_file_of_the_host_is_above_a_packaged_profile(host):
    settings = host.load("logging: {level: ERROR}", profile="test")
    assert settings.logging.level == "ERROR"
    assert settings.origin("logging.level").layer == "host base"


def test_empty_host_folder_is_fine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_settings("test", resources=tmp_path, environ={}).profiles == ("test",)


def test_folder_resources_is_the_host_layer_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "application.yaml").write_text("app: {name: host}")
    assert load_settings("test", environ={}).app.name == "host"


def test_packaged_folder_is_not_read_twice():
    settings = load_settings("test", resources=packaged_folder(), environ={})
    assert settings.origin("app.name").layer == "packaged base"


def test_mappings_merge_and_lists_are_replaced(host):
    host.write("profiles/p.yaml", "cache: {instances: {one: {tags: [c], labels: {y: b}}}}")
    settings = host.load(block("tags: [a, b], labels: {x: a}"), profile="p")
    assert settings.cache.instances["one"].tags == ("c",)
    assert settings.cache.instances["one"].labels == {"x": "a", "y": "b"}


def test_null_goes_back_to_the_default_of_the_model_and_not_to_a_lower_layer(host):
    host.write("profiles/p.yaml", "cache: {instances: {one: {text: null, labels: {x: null}}}}")
    settings = host.load(block("text: a, labels: {x: a, y: b}"), profile="p")
    assert settings.cache.instances["one"].text == "model"
    assert settings.cache.instances["one"].labels == {"y": "b"}
    where = "model default (set to null at conf/profiles/p.yaml:1)"
    assert str(settings.origin(f"{ONE}.text")) == where


def test_null_of_an_override_is_told_as_such(host):
    settings = host.load("app: {name: a}", overrides={"app.name": None})
    told = (settings.app.name, str(settings.origin("app.name")))
    assert told == ("switchgear", "model default (set to null by an override)")


def test_null_removes_an_instance(host):
    host.write("profiles/p.yaml", "cache: {instances: {one: null}}")
    assert "one" not in host.load(block("text: a"), profile="p").cache.instances


def test_unset_placeholder_is_null_whatever_a_lower_layer_says(host):
    host.write("profiles/p.yaml", "cache: {instances: {one: {text: '${NOWHERE}'}}}")
    settings = host.load(block("text: a"), profile="p")
    assert settings.cache.instances["one"].text == "model"
    where = "model default (${NOWHERE} is unset at conf/profiles/p.yaml:1)"
    assert str(settings.origin(f"{ONE}.text")) == where


def test_unset_placeholder_in_a_list_is_named(host, problems_of):
    report = problems_of(host.load, block("tags: [a, '${NOWHERE}']"))
    assert "cache.instances.one.tags.1" in report
    assert "needs ${NOWHERE}, which is not set" in report


def test_another_kind_starts_a_block_anew(host):
    host.write("profiles/p.yaml", block("number: 1, needed: x, token: t", "needy"))
    settings = host.load(block("text: a, count: 3"), profile="p")
    assert settings.cache.instances["one"].needed == "x"


def test_same_kind_keeps_the_block(host):
    host.write("profiles/p.yaml", block("count: 3"))
    settings = host.load(block("text: a"), profile="p")
    assert (settings.cache.instances["one"].text, settings.cache.instances["one"].count) == ("a", 3)


@pytest.mark.parametrize(
    "source",
    [
        {"environ": {"SWITCHGEAR__CACHE__INSTANCES__ONE__KIND": "memory"}},
        {"overrides": {"cache.instances.one.kind": "memory"}},
        {"overrides": {"cache": {"instances": {"one": {"kind": "memory"}}}}},
    ],
)
def test_another_kind_from_outside_starts_a_block_anew(host, source):
    assert host.load(block("text: a"), **source).cache.instances["one"].kind == "memory"


def test_keys_beside_a_chosen_kind_belong_to_the_kind_in_the_file(host):
    yaml = "cache: {instances: {one: {kind: '${KIND:fake}', text: a}}}"
    assert host.load(yaml).cache.instances["one"].text == "a"
    chosen = host.load(yaml, environ={"KIND": "memory"}).cache.instances["one"]
    assert chosen.kind == "memory"
    assert host.load(yaml, environ={"KIND": "fake"}).cache.instances["one"].text == "a"


def test_what_every_block_has_stays_when_a_variable_chooses_another_kind(host):
    yaml = "cache: {instances: {one: {kind: '${KIND:fake}', text: a, policy: default}}}"
    chosen = host.load(yaml, environ={"KIND": "memory"}).cache.instances["one"]
    assert (chosen.kind, chosen.policy) == ("memory", "default")


def test_kind_of_a_wrapped_block_starts_only_that_anew(host, problems_of):
    host.write("profiles/p.yaml", "cache: {instances: {one: {inners: {a: {kind: y}}}}}")
    report = problems_of(host.load, block("text: a, inners: {a: {kind: x, size: 2}}"), profile="p")
    assert "cache.instances.one.inners.a.kind" in report


def test_placeholders_of_overridden_values_are_not_looked_at(host):
    host.write("profiles/p.yaml", block("count: 1, text: a"))
    yaml = "cache:\n  instances:\n    one:\n      kind: fake\n      count: ${A!}\n      text: ${"
    assert host.load(yaml, profile="p").cache.instances["one"].count == 1


def test_keys_and_comments_are_never_replaced(host):
    yaml = "# ${NOWHERE!} ${\ncache: {instances: {one: {kind: fake, labels: {'${A}': x}}}}"
    assert host.load(yaml, environ={"A": "a"}).cache.instances["one"].labels == {"${A}": "x"}


def test_one_part_may_be_spread_over_files_of_a_layer(host):
    host.write("application-more.yaml", "cache: {instances: {two: {kind: fake}}}")
    assert {"one", "two"} <= set(host.load(block("text: a")).cache.instances)


def test_one_key_twice_in_a_layer_is_a_problem(host, problems_of):
    host.write("application-more.yaml", "app: {name: a}")
    report = problems_of(host.load, "app: {name: b}")
    assert (
        "app.name (conf/application-test.yaml:1): is set at conf/application-more.yaml:1" in report
    )


@pytest.mark.parametrize("name", ["A", "1a", "a__b", "a-b", "_a", "ä", "a.b"])
def test_names_of_instances_are_lower_case_identifiers(host, problems_of, name):
    assert "is no name" in problems_of(
        host.load, f"cache: {{instances: {{{name}: {{kind: fake}}}}}}"
    )


def test_overrides_keep_placeholders_and_python_values(host):
    overrides = {
        ONE: {"kind": "fake", "tags": ["a", "b"], "inner": {"size": 2}, "labels": {}},
        f"{ONE}.text": "${A}",
        f"{ONE}.count": "08",
        "cache.instances": {"one.maybe": None},
    }
    found = host.load(overrides=overrides, environ={"A": "a"}).cache.instances["one"]
    assert (found.text, found.count, found.tags, found.inner.size) == ("${A}", 8, ("a", "b"), 2)


def test_overrides_may_have_the_keys_of_an_application(host):
    overrides = {ONE: {"kind": "fake", "labels": {"X-Name": "x"}}}
    assert host.load(overrides=overrides).cache.instances["one"].labels == {"X-Name": "x"}


@pytest.mark.parametrize(
    "overrides",
    [
        {"app.name": "x", "app": {"name": "y"}},
        {"app.name": "x", "app.name.first": "y"},
        {"": "x"},
        {"app..name": "x"},
        {"App.name": "x"},
        {1: "x"},
    ],
)
def test_overrides_that_name_no_key_or_one_key_twice_are_problems(host, problems_of, overrides):
    assert "override" in problems_of(host.load, overrides=overrides)


@pytest.mark.parametrize("path", ["app", f"{ONE}.labels", f"{ONE}.tags"])
def test_overrides_that_contain_themselves_are_a_problem(host, problems_of, path):
    inside: dict[str, Any] = {}
    inside["a"] = [inside] if path.endswith("tags") else inside
    report = problems_of(host.load, overrides={path: inside})
    assert "override: a value is nested too deeply, or contains itself" in report


def test_dictionary_form_wraps_secrets(host):
    host.write("application-test.yaml", block("password: s3cret"))
    found = EnvironmentLoader.load_config((), resources=host.folder, environ={})
    assert found["cache"]["instances"]["one"]["text"] == "model"
    assert "s3cret" not in str(found)


def test_settings_are_frozen(host):
    with pytest.raises(ValueError, match="frozen"):
        host.load().app.name = "x"


def test_loading_changes_nothing_it_was_given(host):
    overrides = {"app": {"name": "x"}}
    host.load(overrides=overrides)
    assert overrides == {"app": {"name": "x"}}


def test_two_loads_are_equal(host):
    assert host.load(block("text: a")) == host.load(block("text: a"))
