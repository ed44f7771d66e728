"""Every block of the README and of docs/ is run: programs, settings, tests and terminals."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from containers import Container
from infrastructure.config import load_settings

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
def test_block_runs(language: str, text: str, printed: str, tmp_path: Path):
    said = RUNNERS[language](text, tmp_path)
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


def run_program(text: str, folder: Path) -> str:
    is_test = "def test_" in text
    file = folder / ("test_readme_block.py" if is_test else "program.py")
    file.write_text(text, encoding="utf-8")
    options = (
        ["-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml")] if is_test else ["-W", "error"]
    )
    done = _run([sys.executable, *options, str(file)], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def load_profile(text: str, folder: Path) -> str:
    """A block that begins with `# resources/<path>` is a host's file; its profile must load."""
    path = re.match(r"# (resources/\S+\.yaml)", text)
    assert path, "a YAML block begins with the path of its file"
    file = folder / path[1]
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    load_settings(f"test,{file.stem}", resources=folder / "resources", environ={"REDIS_HOST": "r"})
    return ""


def run_session(text: str, folder: Path) -> str:
    """Commands after `$`; each line of output must come, with any numbers, `...` for any text."""
    for command, output in re.findall(
        r"^\$ ([^\n]+)\n(.*?)(?=^\$ |\Z)", text, re.MULTILINE | re.DOTALL
    ):
        if command.startswith(("make ", "git ", "pip ")):
            continue
        done = _run(["sh", "-c", command], folder)
        _tells(done.stdout + done.stderr, output)
    return ""


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
    scripts = str(Path(sys.executable).parent)
    environment = {
        **{name: value for name, value in os.environ.items() if name in {"HOME", "LANG"}},
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "COLUMNS": "140",
    }
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


RUNNERS = {"python": run_program, "yaml": load_profile, "console": run_session}
