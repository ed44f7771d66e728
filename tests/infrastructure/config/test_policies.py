"""Policies and other blocks that inherit, as they are read from files."""

from pathlib import Path
from typing import Any

import pytest

from infrastructure.config import Settings, SettingsError, load_settings

REDIS = """\
db:
  instances:
    redis: {kind: redis}
    limited: {kind: redis, policy: fair}
"""


def load(folder: Path, text: str, **sources: Any) -> Settings:
    (folder / "application-x.yaml").write_text(text)
    return load_settings("test", resources=folder, **{"environ": {}, **sources})


def problems(folder: Path, text: str, **sources: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, **sources)
    return str(caught.value).replace(f"{folder}/application-x.yaml", "x")


def policies(text: str) -> str:
    return f"resilience:\n  policies:\n{text}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "    a:\n      retrie: {}\n",
            "policies.a.retrie (x:4): unknown key. Did you mean 'retry'?",
        ),
        ("    a:\n      retry: {attempts: 1}\n", "policies.a.retry.attempts (x:4): unknown key."),
        ("    A: {}\n", "policies.A (x:3): is no name"),
        ("    a:\n      inherits: lm\n", "a.inherits (x:4): no policy 'lm'. Did you mean 'llm'?"),
        (
            "    nightly:\n      inherits: nightlz\n",
            "nightly.inherits (x:4): no policy 'nightlz'. Known: default, llm, vector.",
        ),
        ("    a:\n      inherits: a\n", "a.inherits (x:4): 'a' inherits itself: a -> a."),
        (
            "    c: {inherits: b}\n    b:\n      inherits: a\n    a:\n      inherits: b\n",
            "a.inherits (x:7): 'a' inherits itself: a -> b -> a. End the line at one",
        ),
        (
            "    a:\n      breaker: {minimum_calls: 200}\n    b: {inherits: a}\n",
            "policies.a.breaker (x:4): minimum_calls must not be above window_calls",
        ),
        (
            "    a:\n      rate_limit: {rate: 0.5, connection: db.instances.redis}\n",
            "policies.a.rate_limit (x:4): rate must be a whole number",
        ),
        (
            "    a:\n      rate_limit: {per_seconds: 1.5, connection: db.instances.redis}\n",
            "per_seconds must be a whole number",
        ),
        (
            "    a:\n      rate_limit: {burst: 5, connection: db.instances.redis}\n",
            "burst is for a limit of one process",
        ),
        (
            "    a:\n      rate_limit: {on_storage_error: fail_opne}\n",
            "on_storage_error (x:4): should be 'fail_open' or 'fail_closed', found 'fail_opne'",
        ),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_at_its_line(
    tmp_path: Path, text: str, told: str
) -> None:
    report = problems(tmp_path, policies(text))
    assert told in report
    assert report.startswith("1 problem ")


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        ("db.instances.reddis", "there is no 'db.instances.reddis'. Did you mean 'db.instances.re"),
        ("cache.default", "there is no 'cache.default'. Known of kind redis: db.instances.limited"),
        ("db.default", "'db.default' is of kind sqlite, and a limit is counted in redis."),
        (
            "db.instances.limited",
            "'db.instances.limited' has a policy with such a limit itself, so",
        ),
    ],
)
def test_the_connection_of_a_shared_limit_is_looked_for(
    tmp_path: Path, connection: str, told: str
) -> None:
    fair = f"    fair:\n      rate_limit:\n        connection: {connection}\n"
    text = f"{fair}    heir: {{inherits: fair}}\n"
    report = problems(tmp_path, policies(text) + REDIS)
    assert f"resilience.policies.fair.rate_limit.connection (x:5): {told}" in report
    assert report.startswith("1 problem ")


def test_a_connection_from_outside_is_not_shown(tmp_path: Path) -> None:
    variable = "SWITCHGEAR__RESILIENCE__POLICIES__FAIR__RATE_LIMIT__CONNECTION"
    text = policies("    fair: {rate_limit: {rate: 5}}\n")
    report = problems(tmp_path, text, environ={variable: "db.instances.hunter2"})
    assert "hunter2" not in report
    assert variable in report


@pytest.mark.parametrize("text", ["    a: {inherits: '${V}'}\n", "    a: {}\n"])
def test_a_name_from_outside_is_not_shown_but_what_there_is(tmp_path: Path, text: str) -> None:
    name = "V" if "V" in text else "SWITCHGEAR__RESILIENCE__POLICIES__A__INHERITS"
    report = problems(tmp_path, policies(text), environ={name: "hunter2"})
    assert "no policy of that name. Known: default, llm, vector" in report
    assert name in report
    assert "hunter2" not in report


def test_a_limit_that_is_switched_off_needs_no_connection(tmp_path: Path) -> None:
    off = "    fair:\n      rate_limit: {connection: db.instances.gone, enabled: false}\n"
    assert load(tmp_path, policies(off)).resilience.shared_limits() == {}


def test_numbers_that_fit_only_with_those_inherited_are_right(tmp_path: Path) -> None:
    text = """\
    base:
      breaker: {window_calls: 500}
      retry: {max_delay_seconds: 60}
      rate_limit: {rate: 5, per_seconds: 60}
    child:
      inherits: base
      breaker: {minimum_calls: 200}
      retry: {initial_delay_seconds: 30}
"""
    found = load(tmp_path, policies(text)).resilience.policy("child")
    assert found.breaker
    assert found.retry
    assert (found.breaker.window_calls, found.breaker.minimum_calls) == (500, 200)
    assert (found.retry.max_delay_seconds, found.retry.initial_delay_seconds) == (60, 30)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ("5", 5),
        ("1.5", 1.5),
        ("no", "no"),
        ("'5'", "5"),
        ("true", True),
        ("[1, null, a]", [1, None, "a"]),
        (
            "{items: [], next: null, deep: {x: null}}",
            {"items": [], "next": None, "deep": {"x": None}},
        ),
    ],
)
def test_a_fallback_gives_any_value_of_yaml(tmp_path: Path, value: str, expected: Any) -> None:
    text = policies(f"    a:\n      fallback:\n        value: {value}\n")
    fallback = load(tmp_path, text).resilience.policy("a").fallback
    assert fallback
    assert fallback.value == expected


def test_every_number_of_a_policy_knows_where_it_was_said(tmp_path: Path) -> None:
    text = policies("    llm:\n      retry:\n        max_attempts: 9\n")
    settings = load(tmp_path, text, overrides={"resilience.policies.llm.breaker.enabled": False})
    path = "resilience.policies.llm"
    assert str(settings.origin(f"{path}.retry.max_attempts")).endswith("application-x.yaml:5")
    shipped = str(settings.origin(f"{path}.retry.initial_delay_seconds"))
    assert "application-resilience.yaml:" in shipped
    assert str(settings.origin(f"{path}.breaker.enabled")) == "override"
    assert str(settings.origin(f"{path}.breaker.jitter")) == "model default"


def test_a_block_inside_another_takes_no_policy(tmp_path: Path) -> None:
    text = "cache:\n  default:\n    kind: tiered\n    far:\n      kind: memory\n      policy: llm\n"
    report = problems(tmp_path, text)
    assert "cache.default.far.policy (x:6): a block inside another has no policy; give" in report


def test_entry_options_are_told_at_their_lines_too(tmp_path: Path) -> None:
    text = """\
cache:
  default:
    kind: memory
    entry_options:
      hot:
        inherits: hto
      slow:
        loader_soft_timeout_seconds: 1
      slower:
        inherits: slow
"""
    report = problems(tmp_path, text)
    told = "cache.default.entry_options.hot.inherits (x:6): no entry options 'hto'. Known: slow, "
    assert told in report
    assert "cache.default.entry_options.slow (x:8): loader_soft_timeout_seconds needs" in report
    assert report.startswith("2 problems ")


def test_a_hedge_that_would_do_nothing_is_told_at_its_line(tmp_path: Path) -> None:
    text = """\
db:
  default:
    kind: sqlite
    policy: quick
resilience:
  policies:
    quick:
      hedge: {delay_seconds: 0.1}
"""
    report = problems(tmp_path, text)
    assert "db.default.policy (x:4): it has a hedge, and no call of the part db may be" in report
    assert "Hedged: embeddings, vector." in report
