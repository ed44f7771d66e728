"""No secret in any text of any error, whatever is wrong and whatever the secret looks like."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.config import SettingsError

# At least one sign that no message of ours has, so that finding it means it leaked.
SIGN = "ℵ7"
SECRETS = st.builds(
    lambda before, after: f"{before}{SIGN}{after}",
    st.text(alphabet="aZ0_-:/@#?%${}[]'\",.\\ \té\n", max_size=12),
    st.text(alphabet="aZ0_-:/@#?%${}[]'\",.\\ \té\n", max_size=12),
)

NEEDY = "cache: {{instances: {{one: {{kind: needy, needed: x, number: 1, token: t, {}}}}}}}"
FAKE = "cache: {{instances: {{one: {{kind: fake, {}}}}}}}"

#: Each is wrong in its own way; `${S}` is the secret in a variable.
FILLED = [
    FAKE.format("count: '${S}'"),
    FAKE.format("count: 'x${S}y'"),
    FAKE.format("count: '${N:${S}}'"),
    FAKE.format("ratio: '${S}', flag: '${S}', mode: '${S}', numbers: ['${S}']"),
    FAKE.format("tags: '${S}', inner: '${S}', inners: '${S}', labels: '${S}'"),
    FAKE.format("inner: {size: '${S}'}, inners: {a: {size: '${S}'}}"),
    FAKE.format("text: '${file:${S}}'"),
    FAKE.format("text: '${file:/nowhere/${S}}'"),
    FAKE.format("unknown: '${S}'"),
    FAKE.format("password: ['${S}'], url: {a: '${S}'}"),
    NEEDY.format("quoted: '${S}'"),
    NEEDY.format("pair: '${S}'"),
    NEEDY.format("pair: x").replace("token: t", "token: '${S}'"),
    "cache: {instances: {one: {kind: '${S}'}}}",
    "cache: {instances: {one: {kind: '${S:fake}'}}}",
    "cache: {instances: {one: '${S}'}}",
    "cache: '${S}'",
    "logging: {level: '${S}', console: '${S}'}",
    "features: {a: '${S}'}",
    "app: {debug: '${S}'}\npaths: ['${S}']\nunknown: '${S}'",
    "db: {instances: {one: {kind: postgres, url: '${S}', ssl: '${S}', port: '${S}'}}}",
    "db: {instances: {one: {kind: postgres, url: 'postgresql://${S}', port: 0}}}",
    "vector: {instances: {one: {kind: qdrant, url: '${S}', api_key: '${S}'}}}",
]


@pytest.mark.parametrize("yaml", FILLED, ids=range(len(FILLED)))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS)
def test_secret_of_a_variable_is_in_no_error(host, yaml, secret):
    assert_hidden(lambda: host.load(yaml, environ={"S": secret.replace("\0", "")}))


OVERRIDDEN = [
    "APP__DEBUG",
    "APP",
    "CACHE",
    "CACHE__DEFAULT",
    "CACHE__DEFAULT__KIND",
    "CACHE__DEFAULT__TTL_SECONDS",
    "CACHE__DEFAULT__INNER",
    "CACHE__DEFAULT__UNKNOWN",
    "CACHE__INSTANCES",
    "UNKNOWN",
]


@pytest.mark.parametrize("name", OVERRIDDEN)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS)
def test_secret_of_an_override_is_in_no_error(host, name, secret):
    assert_hidden(lambda: host.load(environ={f"SWITCHGEAR__{name}": secret}))
    path = name.lower().replace("__", ".")
    assert_hidden(lambda: host.load(overrides={path: [secret], "app.debug": secret}))


@pytest.mark.parametrize("name", OVERRIDDEN)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS)
def test_secret_of_a_file_is_in_no_error(host, name, secret):
    folder = host.root / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / name.lower()).write_text(secret)
    assert_hidden(lambda: host.load(environ={"SWITCHGEAR_SECRETS_DIR": str(folder)}))


LITERALS = [
    "cache: {instances: {one: {kind: fake, password: {a: '%s'}}}}",
    "cache: {instances: {one: {kind: fake, url: ['%s']}}}",
    "cache: {instances: {one: {kind: fake, pasword: '%s'}}}",
    "cache: {instances: {one: {kind: fake, labels: {api_key: ['%s']}}}}",
    "app: '%s'",
    "app: %s: x",
    "app: [%s",
    "app: !%s x",
    "app: *%s",
    'app: "%s\\q"',
    "%s",
    "- %s",
]


@pytest.mark.parametrize("yaml", LITERALS, ids=range(len(LITERALS)))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS)
def test_literal_secret_is_in_no_error_even_of_broken_yaml(host, yaml, secret):
    # With a colon or a new line it would be a key, and keys are shown.
    text = secret.replace(":", "").replace("\n", "")
    assert_hidden(lambda: host.load(yaml % text))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS)
def test_secret_prints_nowhere_in_good_settings(host, secret):
    yaml = FAKE.format("password: '${S}', url: 'redis://u:${S}@h/0'")
    loaded = host.load(yaml, environ={"S": secret})
    assert secret in loaded.secret_values()
    for text in (repr(loaded), str(loaded), loaded.model_dump_json(), repr(loaded.origins())):
        assert SIGN not in text


def assert_hidden(load: Callable[[], Any]) -> None:
    error = error_of(load)
    texts = [str(error), repr(error), repr(getattr(error, "problems", ())), *formatted(error)]
    assert not [text for text in texts if SIGN in text]
    assert getattr(error, "__context__", None) is None


def error_of(load: Callable[[], Any]) -> SettingsError | None:
    try:
        load()
    except SettingsError as error:
        return error
    return None


def formatted(error: SettingsError | None) -> list[str]:
    return traceback.format_exception(error) if error else []
