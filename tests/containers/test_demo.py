"""The demo's whole job, on stand-ins and on real backends; and what it says when it cannot."""

import io
import re
import signal
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from containers import Container
from containers.cli.app import app
from containers.cli.screen import Screen

ON_DISK = (
    *("--set", "db.default.kind=sqlite", "--set", "db.default.path=state/demo.sqlite"),
    *("--set", "vector.default.kind=qdrant", "--set", "vector.default.path=state/vectors"),
)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("REDIS_HOST", "DATABASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["demo", *arguments])


def test_the_whole_job_is_done_and_shown():
    question = "with_stmt with_stmt_contents with_item suite?"
    result = run("--profile", "test", "--ask", question)
    assert result.exit_code == 0, result.output
    for line in (
        "switchgear demo, profile test",
        f"? {question}",
        "sources: with",
        "answered by llm.default",
        "turn 1 of the conversation",
        "answered from cache",
    ):
        assert line in result.output
    assert re.search(r"embedded (\d+) of \1 passages", result.output)


def test_the_table_tells_where_each_part_was_chosen():
    result = run("--profile", "test")
    row = r"cache\.default +memory +packaged profiles/test\.yaml:\d+ +up +\d"
    assert re.search(row, result.output), result.output


async def test_the_table_fits_a_terminal_of_80_columns():
    told = io.StringIO()
    async with Container(profile="test") as container:
        health = await container.health()
        screen = Screen(Console(file=told, width=80, force_terminal=True, no_color=True))
        screen.parts(container.settings(), health)
    rows = told.getvalue().strip().splitlines()
    assert len(rows) == 1 + len(health)
    assert any("cache.instances.confirmation memory" in row for row in rows)


def test_a_line_in_a_file_is_as_long_as_what_it_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = run("--profile", "test")
    assert re.search(r"✓ embedded .* Python language reference: statements \d", result.output)


def test_null_goes_back_to_the_default_of_a_setting():
    result = run("--profile", "test", "--set", "cache.default.ttl_seconds=null")
    assert result.exit_code == 0, result.output


def test_it_says_where_state_is_kept_when_some_is():
    kept = ("--set", "db.default.path=.switchgear/data/demo.sqlite")
    assert "State is kept" not in run("--profile", "test").output
    assert "State is kept in .switchgear/data" in run("--profile", "test", *kept).output


def test_an_interrupted_run_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Screen, "question", lambda *_: signal.raise_signal(signal.SIGINT))
    result = run("--profile", "test")
    assert result.exit_code == 130
    assert "switchgear: interrupted" in result.output
    assert "Traceback" not in result.output


def test_a_second_run_reuses_the_index_and_goes_on_with_the_conversation():
    run("--profile", "test", *ON_DISK)
    again = run("--profile", "test", *ON_DISK)
    assert "index is up to date" in again.output, again.output
    assert "turn 2 of the conversation" in again.output


def test_a_changed_folder_is_indexed_again_where_it_changed(tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "one.md").write_text("Cats sleep.")
    (docs / "two.md").write_text("Dogs bark.")
    arguments = ("--profile", "test", *ON_DISK, "--docs", str(docs), "--ask", "Who barks?")
    assert "embedded 2 of 2" in run(*arguments).output
    (docs / "one.md").unlink()
    (docs / "two.md").write_text("Dogs bark and run.")
    again = run(*arguments)
    assert "embedded 1 of 1" in again.output, again.output
    assert "sources: two.md" in again.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--profile", "tset"), 2, "Did you mean 'test'?"),
        (("--profile", "test", "--set", "cache.default.ttl_secnds=5"), 2, "'ttl_seconds'"),
        (("--profile", "test", "--set", "cache.default.kind=reddis"), 2, "Did you mean 'redis'?"),
        (("--profile", "test", "--set", "cache.default.ttl_seconds=soon"), 2, "ttl_seconds"),
        (("--profile", "test", "--docs", "nowhere"), 2, "nowhere: is not a folder"),
        (("--profile", "test", "--docs", "."), 2, "holds no .md, .rst, .txt file"),
        (("--profile", "test", "--ask", " "), 2, "the question is empty"),
        (("--profile", "test", "--set", "nonsense"), 2, "is not KEY=VALUE"),
    ],
)
def test_wrong_input_is_a_message_and_an_exit_code(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path
):
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_servers_that_are_down_are_one_report():
    refused = ("--set", "cache.default.host=127.0.0.1", "--set", "cache.default.port=1")
    result = run(
        *("--profile", "test", "--set", "cache.default.kind=redis", *refused),
        *("--set", "db.default.kind=postgres"),
        *("--set", "db.default.url=postgresql://me:hunter2@127.0.0.1:1/none"),
    )
    assert result.exit_code == 1, result.output
    assert "cache.default: " in result.output
    assert "db.default: " in result.output
    assert "hunter2" not in result.output


def test_a_broken_file_is_named_with_its_line(tmp_path: Path):
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "application.yaml").write_text("cache:\n  default: [\n")
    result = run("--profile", "test")
    assert result.exit_code == 2
    assert re.search(r"resources/application\.yaml:\d+", result.output)
