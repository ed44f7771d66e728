"""The demo's whole job on the servers of profile `dev`; and its one report when there are none."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from containers.cli.app import app
from infrastructure.servers.base import LocalServer
from infrastructure.servers.llama import LlamaServer

#: Hashing embeds in no time.
HOST_PROFILE = """
embeddings:
  default: {kind: hashing}
"""
SECRETS = ("OPENAI_API_KEY", "REDIS_PASSWORD", "DB_PASSWORD")
SHIPPED = ("DATABASE_URL", "DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "LLM_PROVIDER", "LOG_LEVEL")


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*SECRETS, *SHIPPED):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _on_servers(
    valkey: LocalServer,
    postgres: LocalServer,
    llama: LocalServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profiles = tmp_path / "resources" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "dev.yaml").write_text(HOST_PROFILE)
    redis = urlsplit(valkey.url)
    monkeypatch.setenv("REDIS_HOST", str(redis.hostname))
    monkeypatch.setenv("REDIS_PORT", str(redis.port))
    monkeypatch.setenv("REDIS_PASSWORD", str(redis.password))
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    monkeypatch.setenv("OPENAI_BASE_URL", llama.url)
    monkeypatch.setenv("OPENAI_MODEL", LlamaServer.model)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["demo", "--profile", "dev", *arguments])


@pytest.mark.usefixtures("_on_servers")
def test_the_job_is_done_on_servers_and_the_next_run_goes_on_from_it(tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "animals.md").write_text("Cats sleep all day. Dogs bark at night.")
    arguments = ("--docs", str(docs), "--ask", "Who barks at night?")
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    for line in (
        "embedded 1 of 1 passages",
        "sources: animals.md",
        "answered by llm.default",
        "turn 1 of the conversation",
        "answered from cache.default",
    ):
        assert line in first.output

    second = run(*arguments)
    assert second.exit_code == 0, second.output
    assert "index is up to date" in second.output
    assert "answered by" not in second.output
    assert second.output.count("answered from cache.default") == 2
    assert "turn 2 of the conversation" in second.output


@pytest.mark.usefixtures("_on_servers")
def test_no_password_and_no_line_of_a_client_is_shown(
    valkey: LocalServer, postgres: LocalServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up-for-this-test")
    shown = run().output
    assert "answered" in shown, shown
    for secret in (urlsplit(valkey.url).password, urlsplit(postgres.url).password, "sk-made-up"):
        assert str(secret) not in shown
    assert "DEBUG" not in shown, shown


def test_nothing_running_is_one_report_of_all_that_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", "1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    since = time.perf_counter()
    result = run("--set", "embeddings.default.kind=hashing")
    assert time.perf_counter() - since < 10
    assert result.exit_code == 1, result.output
    assert result.output.count("could not start") == 1
    for path in ("cache.default", "db.default", "vector.default", "llm.default"):
        assert f"\n  {path}: " in result.output
    for never in ("Traceback", "hunter2", "DEBUG"):
        assert never not in result.output


@pytest.mark.usefixtures("_on_servers")
def test_a_language_model_that_is_down_is_told_before_anything_is_embedded(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    result = run()
    assert result.exit_code == 1, result.output
    assert "\n  llm.default: " in result.output
    assert "cache.default: " not in result.output
    assert "embedded" not in result.output
