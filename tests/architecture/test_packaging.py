"""The project as others get it: wheel, sdist and editable install, and the pins beside them."""

import importlib.util
import json
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import ROOT, SOURCES, python_files

pytestmark = pytest.mark.xdist_group("installed")  # three times, and not in each process again

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {str(path.relative_to(ROOT)) for path in python_files(*SOURCES)}
RESOURCES = {path.relative_to(ROOT / "resources") for path in (ROOT / "resources").rglob("*.*")}

#: Run inside an installed project, far from the checkout.
PROBE = """
import json, containers, infrastructure
from importlib.metadata import entry_points
from infrastructure.config import load_settings
from infrastructure.config.resources import packaged_folder

(resolver,) = entry_points(group="switchgear.ambient")
print(json.dumps({
    "homes": [containers.__path__[0], infrastructure.__path__[0]],
    "profiles": load_settings("test", environ={}).profiles,
    "resolver": resolver.load().__module__,
    "resources": str(packaged_folder()),
}))
"""


@dataclass(frozen=True)
class Installed:
    """A virtual environment of its own with the project in it."""

    kind: str
    folder: Path

    @property
    def home(self) -> Path:
        """The folder that must hold both packages."""
        return ROOT if self.kind == "editable" else self.packages

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    @property
    def distribution(self) -> Distribution:
        (found,) = distributions(name=PROJECT["name"], path=[str(self.packages)])
        return found

    def run(self, program: str, *arguments: str | Path) -> str:
        return run([self.folder / "bin" / program, *arguments], cwd=self.folder)


def run(command: Sequence[str | Path], *, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What pip can install: both archives, and the checkout they were made from."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist, "editable": ROOT}


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pip of our own: an environment made by uv has none."""
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("this Python has no ensurepip; install its package, such as python3-venv")
    folder = tmp_path_factory.mktemp("pip")
    run([sys.executable, "-m", "venv", folder], cwd=folder)
    return folder / "bin" / "pip"


@pytest.fixture(scope="module", params=["wheel", "sdist", "editable"])
def installed(
    request: pytest.FixtureRequest,
    sources: dict[str, Path],
    pip: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Installed:
    """The project alone is installed; what it depends on comes from this environment."""
    target = Installed(request.param, tmp_path_factory.mktemp(request.param))
    run([sys.executable, "-m", "venv", "--without-pip", target.folder], cwd=target.folder)
    here = sysconfig.get_path("purelib")
    (target.packages / "dependencies.pth").write_text(here)
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    options += ["--quiet", "--no-compile", "--disable-pip-version-check"]
    options += ["--editable"] if target.kind == "editable" else []
    python = target.folder / "bin" / "python"
    run([pip, "--python", python, "install", *options, sources[target.kind]], cwd=target.folder)
    return target


@pytest.fixture(scope="module")
def facts(installed: Installed) -> dict[str, Any]:
    """What the installed project says of itself, started in an empty folder."""
    said: dict[str, Any] = json.loads(installed.run("python", "-I", "-c", PROBE))
    return said


def test_installed_project_finds_its_own_resources(installed: Installed, facts: dict[str, Any]):
    folder = "resources" if installed.kind == "editable" else "infrastructure/_resources"
    assert facts["resources"] == str(installed.home / folder)
    assert facts["profiles"] == ["test"]


def test_installed_packages_are_its_own_and_typed(installed: Installed, facts: dict[str, Any]):
    assert {Path(home).parent for home in facts["homes"]} == {installed.home}
    assert all((Path(home) / "py.typed").exists() for home in facts["homes"])


def test_installed_project_names_the_default_containers_resolver(facts: dict[str, Any]):
    assert facts["resolver"] == "containers.default"


def test_installed_command_answers(installed: Installed):
    assert installed.run("switchgear", "version").strip() == PROJECT["version"]


def test_installed_metadata_offers_every_extra(installed: Installed):
    offered = installed.distribution.metadata.get_all("Provides-Extra") or []
    assert set(offered) == set(PROJECT["optional-dependencies"])


def test_installed_metadata_carries_the_license(installed: Installed):
    metadata = installed.distribution.metadata
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")


def test_wheel_has_the_two_packages_and_nothing_else(sources: dict[str, Path]):
    names = ZipFile(sources["wheel"]).namelist()
    about = f"{PROJECT['name']}-{PROJECT['version']}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"containers", "infrastructure", about}
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


def test_wheel_has_every_resource(sources: dict[str, Path]):
    inside = "infrastructure/_resources"
    paths = [Path(name) for name in ZipFile(sources["wheel"]).namelist()]
    shipped = {path.relative_to(inside) for path in paths if path.is_relative_to(inside)}
    assert shipped == RESOURCES


def test_wheel_has_every_module(sources: dict[str, Path]):
    assert set(ZipFile(sources["wheel"]).namelist()) >= MODULES


def test_sdist_has_every_file_that_a_wheel_is_made_of(sources: dict[str, Path]):
    with tarfile.open(sources["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert MODULES | {f"resources/{path}" for path in RESOURCES} <= names


def requirements() -> list[Requirement]:
    """Everything the project asks for, without the extras it is made of."""
    extras = PROJECT["optional-dependencies"].values()
    every = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    return [each for each in map(Requirement, every) if each.name != PROJECT["name"]]


def pins() -> dict[str, set[str]]:
    """The versions of each name; there may be one for each range of Python."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "requirements-lock.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition(" ;")[0].partition("==")
            found.setdefault(canonicalize_name(name), set()).add(version.strip())
    return found


@pytest.mark.parametrize("wanted", requirements(), ids=str)
def test_requirement_has_a_pin_that_satisfies_it(wanted: Requirement):
    versions = pins().get(canonicalize_name(wanted.name), set())
    assert versions, "not in requirements-lock.txt: run `make lock`"
    assert all(version in wanted.specifier for version in versions)


def test_lock_pins_exactly_and_names_no_address():
    lock = (ROOT / "requirements-lock.txt").read_text()
    assert "://" not in lock
    assert "--" not in lock
    assert all(version for versions in pins().values() for version in versions)
