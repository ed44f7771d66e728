"""`switchgear graph` and `switchgear explain`, as they are typed."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from containers import Container
from containers.cli.app import Format, app
from containers.core.drawing import FORMATS

SWITCHGEAR = Path(sys.executable).parent / "switchgear"


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command in an empty folder; what it printed, what it complained about, its code."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("SWITCHGEAR"):
            monkeypatch.delenv(name)

    def run(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "140", **variables})

    return run


def installed(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The same with the command itself."""
    return subprocess.run(
        [SWITCHGEAR, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_installed_command_draws_a_flowchart_unless_asked_for_something_else(tmp_path: Path):
    done = installed(tmp_path, "graph", "--profile", "test")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == Container(profile="test").graph()


def test_the_installed_command_ends_with_a_message_and_a_code(tmp_path: Path):
    done = installed(tmp_path, "explain", "llm.defalt")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'llm.default'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_graph_is_drawn_as_asked(typed):
    done = typed("graph", "--profile", "test", "--format", "json", "--focus", "llm.default")
    nodes = {node["path"]: node for node in json.loads(done.stdout)["nodes"]}
    assert set(nodes) == {"settings", "llm", "llm.settings", "llm.default"}
    assert nodes["llm.default"]["kind"] == "scripted"


@pytest.mark.parametrize(
    ("name", "begins"), [("g.svg", "<svg "), ("g.gv", "digraph "), ("g.md", "flowchart ")]
)
def test_a_file_is_drawn_as_it_is_named(typed, tmp_path: Path, name: str, begins: str):
    done = typed("graph", "--output", name)
    assert (done.exit_code, done.stdout) == (0, f"written to {name}\n")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_the_named_format_decides_over_the_name_of_the_file(typed, tmp_path: Path):
    typed("graph", "--format", "svg", "--output", "picture.txt")
    assert ET.parse(tmp_path / "picture.txt").getroot().tag.endswith("svg")


def test_explain_tells_the_kind_and_the_line_that_chose_it(typed):
    done = typed("explain", "llm.default", "--profile", "test")
    assert done.exit_code == 0
    assert "kind           scripted, from " in done.stdout
    assert "profiles/test.yaml:" in done.stdout


def test_explain_tells_the_profile_of_the_environment(typed):
    assert "scripted" in typed("explain", "llm.default", SWITCHGEAR_PROFILES="test").stdout
    assert "llamacpp, from" in typed("explain", "llm.default").stdout


def test_explain_as_data_has_every_field(typed):
    told = json.loads(typed("explain", "db.session", "--profile", "test", "--json").stdout)
    assert told["lifetime"] == "scoped"
    assert told["needs"][0]["path"] == "db.default"
    assert told["needs"][0]["arguments"] == ["database"]


def test_no_secret_is_told(typed):
    variables = {
        "SWITCHGEAR__LLM__DEFAULT__KIND": "openai",
        "SWITCHGEAR__LLM__DEFAULT__API_KEY": "sk-hunter2",
    }
    done = typed("explain", "llm.default", "--profile", "test", **variables)
    assert "kind           openai, from SWITCHGEAR__LLM__DEFAULT__KIND" in done.stdout
    drawn = typed("graph", "--profile", "test", "--format", "json", **variables)
    assert '"kind": "openai"' in drawn.stdout
    assert "hunter2" not in done.stdout + done.stderr + drawn.stdout + drawn.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "llm.defalt"), "Did you mean 'llm.default'?"),
        (("explain", "llm.default", "--profile", "tset"), "Did you mean 'test'?"),
        (("explain",), "Missing argument"),
        (("graph", "--focus", "cach.default"), "Did you mean 'cache.default'?"),
        (("graph", "--format", "pdf"), "'mermaid'"),
        (("graph", "--output", "nowhere/g.svg"), "nowhere/g.svg: cannot be written"),
    ],
)
def test_wrong_input_is_a_message_and_exit_code_2(
    typed, tmp_path: Path, arguments: tuple[str, ...], said: str
):
    done = typed(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_created_for_a_look(typed, tmp_path: Path):
    typed("graph")
    typed("explain", "db.default")
    assert list(tmp_path.iterdir()) == []


def test_every_format_can_be_typed():
    assert {each.value for each in Format} == set(FORMATS)
