"""Where a value came from: the layer, the file and line, and the variables it was made of."""

import os.path
from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """The layers, from the lowest to the highest; a higher one wins."""

    DEFAULT = "model default"
    PACKAGED = "packaged base"
    PACKAGED_PROFILE = "packaged profile"
    HOST = "host base"
    HOST_PROFILE = "host profile"
    SECRETS = "secrets directory"
    ENVIRONMENT = "environment"
    OVERRIDE = "override"


#: The layers read from YAML: placeholders are replaced in these, and their literals may be shown.
FILE_LAYERS = frozenset({Layer.PACKAGED, Layer.PACKAGED_PROFILE, Layer.HOST, Layer.HOST_PROFILE})


class Source(StrEnum):
    """What a placeholder was replaced by."""

    ENVIRONMENT = "environment"
    DOTENV = ".env"
    FILE = "file"
    KEY = "key"
    DEFAULT = "default"
    UNSET = "unset"


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${NAME}`, `${part.key}` or `${file:...}` of a value, and what stood in for it.

    Attributes:
        name: The variable, or the other key; for a file the expression as it stands in the YAML.
        source: Where the text was found; `default` and `unset` mean the variable does not exist.
        is_empty: The variable exists and holds no text.
    """

    name: str
    source: Source
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from; prints as `resources/application-cache.yaml:4`.

    Attributes:
        layer: The layer that won.
        file: Absolute path of the YAML file, secret file or .env; empty where there is none.
        line: Counted from 1; 0 where there is none.
        column: Counted from 1; 0 where there is none.
        profile: The profile whose overlay it is; empty for base files and other layers.
        name: The environment variable or dotted key that set the value from outside the files.
        references: The placeholders the value was made of.
    """

    layer: Layer
    file: str = ""
    line: int = 0
    column: int = 0
    profile: str = ""
    name: str = ""
    references: tuple[Reference, ...] = ()

    def __str__(self) -> str:
        place = f"{shown(self.file)}:{self.line}" if self.line else shown(self.file)
        if self.layer is Layer.DEFAULT:
            why = self._why_default(place)
            return f"model default ({why})" if why else "model default"
        if self.layer is Layer.ENVIRONMENT:
            return f"{self.name} ({place})" if place else self.name
        return place or self.layer.value

    @property
    def variable(self) -> str:
        """The variable that decided: of the override, else the first placeholder; or empty."""
        if self.layer is Layer.ENVIRONMENT:
            return self.name
        return next((each.name for each in self.references), "")

    @property
    def unset(self) -> tuple[str, ...]:
        """The variables that do not exist and have no default."""
        return tuple(each.name for each in self.references if each.source is Source.UNSET)

    @property
    def empty(self) -> str:
        """The variable that exists but holds no text; empty when there is none."""
        return next((each.name for each in self.references if each.is_empty), "")

    @property
    def is_outside(self) -> bool:
        """The text came from outside the files, so it is never shown."""
        # What stands under another key may be a secret of that key.
        outside = {Source.ENVIRONMENT, Source.DOTENV, Source.FILE, Source.KEY}
        return self.layer not in FILE_LAYERS or any(
            each.source in outside for each in self.references
        )

    def _why_default(self, place: str) -> str:
        names = ", ".join(f"${{{name}}}" for name in self.unset)
        if names:
            return f"{names} is unset at {place}"
        if place:
            return f"set to null at {place}"
        by = self.name if self.references else "an override"
        return f"set to null by {by}" if self.name else ""


def shown(file: str) -> str:
    """The path as people write it: relative where it lies below the working directory."""
    if not file:
        return ""
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative
