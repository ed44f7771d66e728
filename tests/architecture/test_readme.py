"""Every block of the README and of docs/ is run: programs, settings, tests and terminals."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from containers import Container
from infrastructure.config import load_settings
from tests.warm_python import ENVIRONMENT, SCRIPTS, WarmPython

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    page.name: page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
#: A block of `text` directly below a program is what the program prints.
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(?:\s+^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(*found.groups(""), id=f"{name}:{text[: found.start()].count(chr(10)) + 1}")
    for name, text in PAGES.items()
    for found in BLOCK.finditer(text)
]


@pytest.mark.parametrize(("language", "text", "printed"), BLOCKS)
def test_block_runs(
    language: str, text: str, printed: str, tmp_path: Path, warm_python: WarmPython
):
    said = RUNNERS[language](text, tmp_path, warm_python)
    _tells(said, printed)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str):
    folder = ROOT / ("docs" if name != "README.md" else "")
    linked = re.findall(r"\]\((?!https?:)([^)#\s]+)", BLOCK.sub("", PAGES[name]))
    assert [link for link in linked if not (folder / link).exists()] == []


def test_the_picture_shows_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    drawn = Container(profile="embedded", environ={}).graph("svg")
    kept = (ROOT / "docs" / "images" / "root.svg").read_text(encoding="utf-8")
    assert kept.strip() == drawn.strip(), "switchgear graph --output docs/images/root.svg"


def run_program(text: str, folder: Path, python: WarmPython) -> str:
    is_test = "def test_" in text
    file = folder / ("test_readme_block.py" if is_test else "program.py")
    file.write_text(text, encoding="utf-8")
    options = ["-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), str(file)]
    done: Any = (
        _run([sys.executable, *options], folder) if is_test else python.run([str(file)], folder)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def load_profile(text: str, folder: Path, _: WarmPython) -> str:
    """A block that begins with `# resources/<path>` is a host's file; its profile must load."""
    path = re.match(r"# (resources/\S+\.yaml)", text)
    assert path, "a YAML block begins with the path of its file"
    file = folder / path[1]
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    load_settings(f"test,{file.stem}", resources=folder / "resources", environ={"REDIS_HOST": "r"})
    return ""


def run_session(text: str, folder: Path, python: WarmPython) -> str:
    """Commands after `$`; each line of output must come, with any numbers, `...` for any text."""
    for command, output in re.findall(
        r"^\$ ([^\n]+)\n(.*?)(?=^\$ |\Z)", text, re.MULTILINE | re.DOTALL
    ):
        if command.startswith(("make ", "git ", "pip ")):
            continue
        _tells(_said(command, folder, python), output)
    return ""


def _said(command: str, folder: Path, python: WarmPython) -> str:
    """What a command of the terminal prints; ours alone needs no shell."""
    done: Any
    if command.startswith("switchgear ") and not re.search(r"[|&;<>$`]", command):
        done = python.run([str(SCRIPTS / "switchgear"), *shlex.split(command)[1:]], folder)
    else:
        done = _run(["sh", "-c", command], folder)
    return str(done.stdout + done.stderr)


def _tells(said: str, expected: str) -> None:
    for line in filter(str.strip, expected.splitlines()):
        assert re.search(_pattern(line), said), f"{line!r} is not in:\n{said}"


def _pattern(line: str) -> str:
    pieces = re.split(r"(\.\.\.|[\d.,]+|=+|\s+)", line.strip())
    return "".join(_piece(piece) for piece in pieces)


def _piece(piece: str) -> str:
    if piece == "...":
        return ".*"
    if re.fullmatch(r"[\d.,]+", piece):
        return r"[\d.,]+"
    if re.fullmatch("==+", piece):  # a bar is as long as something took
        return "=+"
    return r"\s+" if piece.isspace() else re.escape(piece)


def _run(command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


RUNNERS = {"python": run_program, "yaml": load_profile, "console": run_session}
