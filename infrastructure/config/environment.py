"""The variables settings are made from: the process's own, above those of a .env file."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.config import dotenv
from infrastructure.config.files import UnreadableError, read_text
from infrastructure.config.nodes import Scalar, Table
from infrastructure.config.origins import Layer, Origin, Reference, Source
from infrastructure.config.problems import Report
from infrastructure.config.scalars import NULL_WORDS
from infrastructure.config.tree import Tree

PREFIX = "SWITCHGEAR__"
FLAG_PREFIX = "FEATURE_FLAG_"
PROFILES = "SWITCHGEAR_PROFILES"
SECRETS_DIR = "SWITCHGEAR_SECRETS_DIR"
EMPTY_IS_UNSET = "SWITCHGEAR_EMPTY_IS_UNSET"

_SWITCH = {"1": True, "true": True, "yes": True, "on": True}
_SWITCH |= {"": False, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable.

    Attributes:
        file: The .env it stands in; empty for the process's own.
    """

    text: str = field(repr=False)
    file: str = ""
    line: int = 0

    @property
    def source(self) -> Source:
        """Which of the two it came from."""
        return Source.DOTENV if self.file else Source.ENVIRONMENT


class Environment:
    """Every variable by name; with `SWITCHGEAR_EMPTY_IS_UNSET=1`, without the empty ones."""

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._settings = dict(settings)

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def get(self, name: str) -> Setting | None:
        """The variable, or None when it does not exist."""
        return self._settings.get(name)

    def without_empty(self) -> "Environment":
        """The same without variables that hold no text."""
        return Environment({name: each for name, each in self._settings.items() if each.text})


def read_environment(environ: Mapping[str, str] | None, report: Report) -> Environment:
    """The variables; an explicit mapping is all there is, so no .env is read beside it."""
    own = os.environ if environ is None else environ
    settings = _read_dotenv(report) if environ is None else {}
    environment = Environment({**settings, **{name: Setting(text) for name, text in own.items()}})
    switch = environment.get(EMPTY_IS_UNSET)
    if switch is None:
        return environment
    if switch.text.lower() not in _SWITCH:
        report.add(EMPTY_IS_UNSET, "", "is neither 1 nor 0")
    return environment.without_empty() if _SWITCH.get(switch.text.lower()) else environment


def overrides_of(environment: Environment, report: Report) -> Table:
    """The layer made of `SWITCHGEAR__CACHE__DEFAULT__TTL_SECONDS` and `FEATURE_FLAG_<NAME>`.

    `null` and `~` are null there; a password that reads so stands in a secret file, or in a
    variable that a placeholder names.
    """
    tree = Tree(Layer.ENVIRONMENT, report)
    for name in sorted(environment):
        if name.startswith(PREFIX):
            steps = name.removeprefix(PREFIX).lower().split("__")
        elif name.startswith(FLAG_PREFIX):
            steps = ["features", name.removeprefix(FLAG_PREFIX).lower()]
        else:
            continue
        tree.put(steps, _leaf(name, environment))
    return tree.table()


def _leaf(name: str, environment: Environment) -> Scalar:
    found = environment.get(name) or Setting("")
    reference = Reference(name, found.source, not found.text)
    origin = Origin(Layer.ENVIRONMENT, found.file, found.line, name=name, references=(reference,))
    return Scalar(None if found.text in NULL_WORDS else found.text, origin)


def _read_dotenv(report: Report) -> dict[str, Setting]:
    path = Path(".env").absolute()
    if not os.path.lexists(path):
        return {}
    try:
        entries, broken = dotenv.parse(read_text(path))
    except UnreadableError as error:
        report.lacks_variables = True
        report.add(".env", "", str(error))
        return {}
    for line in broken:
        report.lacks_variables = True
        report.add(f".env:{line}", "", "is not NAME=value", "Quotes must be closed.")
    return {name: Setting(entry.text, str(path), entry.line) for name, entry in entries.items()}
