"""Variables: overrides, flags, .env, and those that are set but empty."""

from typing import Any

import pytest

from infrastructure.config import load_settings


def test_variable_overrides_a_key(host):
    settings = host.load(environ={"SWITCHGEAR__CACHE__DEFAULT__TTL_SECONDS": "08"})
    assert settings.cache.default.ttl_seconds == 8.0
    origin = settings.origin("cache.default.ttl_seconds")
    assert str(origin) == origin.variable == "SWITCHGEAR__CACHE__DEFAULT__TTL_SECONDS"


def test_variable_makes_an_instance(host):
    settings = host.load(environ={"SWITCHGEAR__CACHE__INSTANCES__MY_ONE__KIND": "fake"})
    assert settings.cache.instances["my_one"].kind == "fake"


def test_text_of_an_override_is_never_replaced(host):
    settings = host.load(environ={"SWITCHGEAR__APP__NAME": "${A}", "A": "a"})
    assert settings.app.name == "${A}"


@pytest.mark.parametrize("word", ["null", "~", "Null", "NULL"])
def test_null_in_a_variable_goes_back_to_the_default_of_the_model(host, word):
    name = "SWITCHGEAR__APP__NAME"
    settings = host.load("app: {name: base}", environ={name: word})
    assert settings.app.name == "switchgear"
    assert str(settings.origin("app.name")) == f"model default (set to null by {name})"


def test_null_in_a_variable_removes_an_instance(host):
    yaml = "cache: {instances: {one: {kind: fake}}}"
    settings = host.load(yaml, environ={"SWITCHGEAR__CACHE__INSTANCES__ONE": "null"})
    assert "one" not in settings.cache.instances


def test_the_word_null_is_text_where_something_else_chose_the_text(host, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "cache.instances.one.maybe").write_text("null")
    environ = {"SWITCHGEAR_SECRETS_DIR": str(tmp_path / "secrets"), "V": "null"}
    overrides = {"app.name": "null"}
    host.write("application-test.yaml", "cache: {instances: {one: {kind: fake, text: '${V}'}}}")
    settings = host.load(environ=environ, overrides=overrides)
    one = settings.cache.instances["one"]
    assert (one.maybe, one.text, settings.app.name) == ("null", "null", "null")


@pytest.mark.parametrize(
    "name",
    [
        "SWITCHGEAR__",
        "SWITCHGEAR____APP",
        "SWITCHGEAR__APP__",
        "SWITCHGEAR__APP__NAM",
        "SWITCHGEAR__CACH__DEFAULT",
        "SWITCHGEAR__APP__1",
        "SWITCHGEAR__APP",
        "FEATURE_FLAG_",
        "SWITCHGEAR__PROFILES__GROUPS__X",
        "FEATURE_FLAG_A__B",
    ],
)
def test_variable_that_names_no_key_is_a_problem(host, problems_of, name):
    report = problems_of(host.load, environ={name: "s3cret"})
    assert name in report
    assert "s3cret" not in report


def test_variable_below_another_is_a_problem(host, problems_of):
    environ = {"SWITCHGEAR__CACHE__DEFAULT": "x", "SWITCHGEAR__CACHE__DEFAULT__TTL_SECONDS": "1"}
    assert "is set as a whole by SWITCHGEAR__CACHE__DEFAULT" in problems_of(
        host.load, environ=environ
    )


def test_flags_come_from_yaml_and_variables(host):
    environ = {"FEATURE_FLAG_NEW_UI": "true", "SWITCHGEAR__FEATURES__OLD_UI": "off"}
    features = host.load("features: {beta: true, old_ui: true}", environ=environ).features
    assert features.is_enabled("new_ui")
    assert features.is_enabled("beta")
    assert not features.is_enabled("old_ui")


def test_flag_that_nobody_set_is_off(host):
    assert not host.load().features.is_enabled("anything")


def test_flag_set_by_two_variables_is_a_problem(host, problems_of):
    environ = {"FEATURE_FLAG_A": "true", "SWITCHGEAR__FEATURES__A": "true"}
    assert "is set by FEATURE_FLAG_A, too" in problems_of(host.load, environ=environ)


@pytest.mark.parametrize("yaml", ["features: {New-UI: true}", "features: {a: maybe}"])
def test_flag_with_a_wrong_name_or_value_is_a_problem(host, problems_of, yaml):
    assert "conf/application-test.yaml:1" in problems_of(host.load, yaml)


EMPTY = [
    ("text: ${V}", ""),
    ("text: ${V:x}", ""),
    ("text: a${V}b", "ab"),
    ("maybe: ${V}", ""),
    ("count: ${V}", None),
    ("count: ${V:1}", None),
    ("path: ${V}", None),
    ("flag: ${V}", None),
    ("mode: ${V}", None),
    ("password: ${V}", None),
    ("url: ${V}", None),
    ("labels: {a: '${V}'}", {"a": ""}),
    ("tags: ${V}", None),
]


@pytest.mark.parametrize(("field", "expected"), EMPTY)
def test_empty_variable_is_text_for_optional_text_only(host, problems_of, field, expected):
    if expected is None:
        report = problems_of(host.block, field, environ={"V": ""})
        assert "(conf/application-test.yaml:5): V is set but empty" in report
        assert report.count("\n  ") == 1
    else:
        assert getattr(host.block(field, environ={"V": ""}), field.partition(":")[0]) == expected


def test_empty_variable_is_no_required_text(host, problems_of):
    yaml = "cache: {instances: {one: {kind: needy, needed: '${V}', number: 1, token: t}}}"
    assert "V is set but empty" in problems_of(host.load, yaml, environ={"V": ""})


def test_empty_override_is_named(host, problems_of):
    name = "SWITCHGEAR__CACHE__DEFAULT__TTL_SECONDS"
    assert f"{name} is set but empty" in problems_of(host.load, environ={name: ""})


def test_empty_kind_is_named(host, problems_of):
    yaml = "cache: {instances: {one: {kind: '${V:fake}'}}}"
    assert "V is set but empty" in problems_of(host.load, yaml, environ={"V": ""})


@pytest.mark.parametrize(("switch", "expected"), [("1", 1), ("TRUE", 1), ("on", 1)])
def test_empty_variables_may_count_as_unset(host, switch, expected):
    environ = {"V": "", "SWITCHGEAR_EMPTY_IS_UNSET": switch, "SWITCHGEAR__APP__DEBUG": ""}
    assert host.block("count: ${V}", environ=environ).count == expected


def test_switch_for_empty_variables_is_1_or_0(host, problems_of):
    environ = {"SWITCHGEAR_EMPTY_IS_UNSET": "s3cret"}
    report = problems_of(host.load, environ=environ)
    assert "SWITCHGEAR_EMPTY_IS_UNSET: is neither 1 nor 0" in report
    assert "s3cret" not in report


@pytest.fixture
def clean(host, monkeypatch):
    for name in ("V", "W", "SWITCHGEAR_PROFILES", "LOG_LEVEL", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    host.write("application-test.yaml", "app: {name: '${V:unset}'}")
    return host


def load(host: Any) -> Any:
    return load_settings((), resources=host.folder)


def test_dotenv_is_read_below_the_environment(clean, monkeypatch):
    (clean.root / ".env").write_text("V=file\nSWITCHGEAR__APP__DEBUG=true\n")
    settings = load(clean)
    assert (settings.app.name, settings.app.debug) == ("file", True)
    assert str(settings.origin("app.debug")) == "SWITCHGEAR__APP__DEBUG (.env:2)"
    assert settings.origin("app.name").references[0].source == ".env"
    monkeypatch.setenv("V", "process")
    assert load(clean).app.name == "process"


def test_dotenv_chooses_the_profiles(clean):
    (clean.root / ".env").write_text("SWITCHGEAR_PROFILES=test\n")
    assert load_settings(resources=clean.folder).profiles == ("test",)


def test_no_dotenv_is_read_beside_an_explicit_environment(clean):
    (clean.root / ".env").write_text("V=file\n")
    assert clean.load().app.name == "unset"


def test_broken_dotenv_is_told_with_its_lines_and_without_what_follows(clean, problems_of):
    clean.write("application-test.yaml", "app: {name: '${V!}'}")
    (clean.root / ".env").write_text("W=1\ns3cret\nV='s3cret\n")
    report = problems_of(load, clean)
    assert ".env:2: is not NAME=value" in report
    assert ".env:3: is not NAME=value" in report
    assert report.count("\n  ") == 2
    assert "s3cret" not in report


@pytest.mark.parametrize("content", [b"V=\xff", None])
def test_unreadable_dotenv_is_a_problem(clean, problems_of, content):
    path = clean.root / ".env"
    path.mkdir() if content is None else path.write_bytes(content)
    assert ".env: " in problems_of(load, clean)
