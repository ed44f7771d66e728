"""Secrets: where they come from, and that they print as nothing."""

from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr

from infrastructure.config.models.base import Model, SecretUrl, mask_url
from infrastructure.config.secrets import looks_secret, secret_values

HIDDEN = "*" * 10


@pytest.fixture
def folder(host):
    path = host.root / "secrets"
    path.mkdir()
    return path


def load(host: Any, **environ: str) -> Any:
    environ["SWITCHGEAR_SECRETS_DIR"] = str(host.root / "secrets")
    return host.load("cache: {instances: {one: {kind: fake}}}", environ=environ)


@pytest.mark.parametrize(
    "name",
    [
        "cache.instances.one.password",
        "cache__instances__one__password",
        "CACHE__INSTANCES__ONE__PASSWORD",
        "cache/instances/one/password",
        "cache/instances.one/password",
    ],
)
def test_name_of_a_secret_file_is_its_key(host, folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("p$w: ${x}\n")
    settings = load(host)
    assert settings.cache.instances["one"].password.get_secret_value() == "p$w: ${x}"
    origin = settings.origin("cache.instances.one.password")
    assert str(origin) == f"secrets/{name}"
    assert origin.layer == "secrets directory"


def test_hidden_entries_of_an_orchestrator_are_skipped(host, folder):
    (folder / "..data").mkdir()
    (folder / "..data" / "app.name").write_text("mounted")
    (folder / "app.name").symlink_to("..data/app.name")
    assert load(host).app.name == "mounted"


@pytest.mark.parametrize("name", ["cache.instances.one.pasword", "unknown", "app.NAME.x", "a-b"])
def test_secret_file_that_names_no_key_is_a_problem(host, folder, problems_of, name):
    (folder / name).write_text("s3cret")
    report = problems_of(load, host)
    assert f"secrets/{name}" in report
    assert "s3cret" not in report


@pytest.mark.parametrize(
    ("content", "expected"), [(b"\xff", "is not UTF-8"), (b"\n", "is set but empty")]
)
def test_secret_file_without_usable_text_is_a_problem(host, folder, problems_of, content, expected):
    (folder / "cache.instances.one.password").write_bytes(content)
    assert expected in problems_of(load, host)


def test_same_secret_in_two_files_is_a_problem(host, folder, problems_of):
    (folder / "app.name").write_text("a")
    (folder / "app__name").write_text("b")
    assert "is set by secrets/app.name, too" in problems_of(load, host)


@pytest.mark.parametrize("path", ["/nowhere/s3cret", "", "conf/application-base.yaml"])
def test_secrets_folder_that_is_none_is_a_problem(host, problems_of, path):
    report = problems_of(host.load, environ={"SWITCHGEAR_SECRETS_DIR": path})
    assert "SWITCHGEAR_SECRETS_DIR: does not name a folder" in report


URLS = [
    ("redis://h:1/0", "redis://h:1/0"),
    ("redis://:pw@h:1/0", f"redis://:{HIDDEN}@h:1/0"),
    ("postgresql://u:pw@h/db", f"postgresql://u:{HIDDEN}@h/db"),
    ("postgresql://u:p@w@h/db", f"postgresql://u:{HIDDEN}@h/db"),
    ("https://pw@h/x", f"https://{HIDDEN}@h/x"),
    ("redis://u:p/w@h", HIDDEN),
    ("redis://u:p?w@h", HIDDEN),
    ("redis://h/0?password=pw@x", HIDDEN),
    ("redis://h/0?password=pw", f"redis://h/0?{HIDDEN}"),
    ("redis://h/0#pw", "redis://h/0"),
    ("pw", HIDDEN),
    ("u:pw@h", HIDDEN),
    ("", ""),
]


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_url_prints_without_its_password(url, expected):
    assert mask_url(url) == str(SecretUrl(url)) == expected
    assert "pw" not in repr(SecretUrl(url))


def test_settings_list_every_secret_for_a_redactor(host):
    host.block(
        "password: one\nurl: redis://u:t%40wo@h/0?token=three\nlabels: {api_key: four, name: five}"
    )
    found = host.load().secret_values()
    assert {"one", "t%40wo", "t@wo", "three", "four"} <= found
    assert "five" not in found


def test_secrets_are_found_in_every_sort_of_field():
    class Holder(Model):
        many: tuple[SecretStr, ...] = (SecretStr("a"),)
        raw: SecretBytes = SecretBytes(b"b")
        nested: dict[str, list[SecretStr]]

    nested = {"x": [SecretStr("c"), SecretStr("")]}
    assert secret_values(Holder(nested=nested)) == {"a", "b", "c"}


@pytest.mark.parametrize("name", ["api_key", "password", "dbPassword", "bot_token", "auth"])
def test_name_suggests_a_secret(name):
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["max_tokens", "keyspace", "name", "monkey"])
def test_name_suggests_no_secret(name):
    assert not looks_secret(name)
