"""Every kind is whole: a word in the enum, a file, a test, a block in YAML, an extra."""

import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.registry import PARTS, registry_of
from tests.architecture.sources import ROOT, imports, parsed

#: Kinds that need no package beyond the project's own dependencies.
DEPENDENCY_FREE = {"disk", "hashing", "memcached", "memory", "scripted", "tiered"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KINDS = [(part, str(kind)) for part in PARTS for kind in sorted(registry_of(part)._builtin)]
with_each_kind = pytest.mark.parametrize(("part", "kind"), KINDS)


def backend(part: str, kind: str) -> Path:
    """Its file, or the door of its folder."""
    return source(f"{registry_of(part)._package}.{kind}")


def source(module: str) -> Path:
    """The file that is run by importing a module of ours."""
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


BACKENDS = {backend(part, kind) for part, kind in KINDS}


def words_under(node: Any) -> Iterator[str]:
    """Every word of every `kind:`; a placeholder has its default in it."""
    if isinstance(node, dict):
        yield from re.findall(r"\w+", str(node.get("kind", "")))
        for value in node.values():
            yield from words_under(value)


@cache
def shipped_kinds(part: str) -> frozenset[str]:
    texts = [path.read_text() for path in (ROOT / "resources").rglob("*.yaml")]
    for guide in (ROOT / "docs").glob("*.md"):  # a kind no profile takes is shown in its guide
        texts += re.findall(r"```yaml\n(.*?)```", guide.read_text(), re.DOTALL)
    documents = [yaml.safe_load(text) for text in texts]
    return frozenset(
        word
        for document in documents
        if isinstance(document, dict)
        for word in words_under(document.get(part))
    )


def distribution_names(requirements: list[str]) -> set[str]:
    names = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {name[0].lower().replace("_", "-") for name in names if name}


def third_party(path: Path) -> frozenset[str]:
    """Distributions a module imports, itself or through modules of ours."""
    found: set[str] = set()
    seen, waiting = {path}, [path]
    while waiting:
        for _, module in imports(parsed(waiting.pop())):
            top = module.partition(".")[0]
            if top == "infrastructure":
                own = source(module)
                if own.exists() and own not in seen and (own.stem != "__init__" or own in BACKENDS):
                    seen.add(own)
                    waiting.append(own)
            elif top not in sys.stdlib_module_names:
                known = distributions().get(top, [top])
                found |= {name.lower().replace("_", "-") for name in known}
    return frozenset(found)


@cache
def distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


@with_each_kind
def test_kind_has_its_file(part: str, kind: str) -> None:
    assert backend(part, kind).exists()


@with_each_kind
def test_kind_has_its_test_file(part: str, kind: str) -> None:
    mirror = ROOT / "tests" / registry_of(part)._package.replace(".", "/")
    assert [*mirror.glob(f"test_{kind}.py"), *mirror.glob(f"test_{kind}_*.py")]


@with_each_kind
def test_kind_is_served_under_its_word_with_a_model_of_that_kind(part: str, kind: str) -> None:
    served = registry_of(part).resolve(kind)
    assert served.Settings.model_fields["kind"].default == kind


@with_each_kind
def test_kind_stands_in_a_shipped_file_or_in_a_guide(part: str, kind: str) -> None:
    assert kind in shipped_kinds(part)


@with_each_kind
def test_kind_has_an_extra_of_its_name_or_needs_none(part: str, kind: str) -> None:
    assert (kind in PROJECT["optional-dependencies"]) is (kind not in DEPENDENCY_FREE)


@with_each_kind
def test_extra_brings_every_package_the_file_imports(part: str, kind: str) -> None:
    extra = PROJECT["optional-dependencies"].get(kind, [])
    brought = distribution_names([*PROJECT["dependencies"], *extra])
    assert third_party(backend(part, kind)) - brought == set()


def test_extra_all_has_every_kind() -> None:
    everything = re.findall(r"[\w-]+", PROJECT["optional-dependencies"]["all"][0])
    assert {kind for _, kind in KINDS} - DEPENDENCY_FREE <= set(everything)


@pytest.mark.parametrize("part", PARTS)
def test_part_has_a_door_and_a_promise_suite(part: str) -> None:
    package = Path(registry_of(part)._package.replace(".", "/"))
    ports = {cls.__name__ for cls in registry_of(part).port.__mro__ if "base" in cls.__module__}
    suites = (ROOT / "tests" / "contracts").glob("*_contract.py")
    assert (ROOT / package / "__init__.py").exists()
    assert any(ports & set(re.findall(r"\w+", suite.read_text())) for suite in suites)
