"""The whole of the settings, part by part."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, PrivateAttr

from infrastructure.config.models.base import Model, Named, Part
from infrastructure.config.models.cache import CacheSettings
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.config.models.embeddings import EmbedderSettings
from infrastructure.config.models.external import ExternalSettings
from infrastructure.config.models.features import Features
from infrastructure.config.models.llm import LLMSettings
from infrastructure.config.models.logging import LoggingConfig
from infrastructure.config.models.resilience import ResilienceSettings
from infrastructure.config.models.vector import VectorSettings
from infrastructure.config.origins import Layer, Origin
from infrastructure.config.secrets import secret_values
from infrastructure.errors import ConfigurationError, did_you_mean


class AppSettings(Model):
    """The block `app:`."""

    name: str = "switchgear"
    debug: bool = False


class PathSettings(Model):
    """The block `paths:`; folders are created when a container starts."""

    data: Path = Path(".switchgear/data")
    logs: Path = Path(".switchgear/logs")
    results: Path = Path(".switchgear/results")


class Settings(Model):
    """Everything a container is built from; made by `load_settings`."""

    app: AppSettings = Field(default_factory=AppSettings)
    features: Features = Field(default_factory=Features)
    paths: PathSettings = Field(default_factory=PathSettings)
    cache: Part[CacheSettings]
    db: Part[ConnectionSettings]
    vector: Part[VectorSettings]
    external: Named[ExternalSettings] = Field(default_factory=Named[ExternalSettings])
    embeddings: Part[EmbedderSettings]
    llm: Part[LLMSettings]
    logging: LoggingConfig = Field(default_factory=LoggingConfig)
    resilience: ResilienceSettings = Field(default_factory=ResilienceSettings)

    _profiles: tuple[str, ...] = PrivateAttr(default=())
    _origins: Mapping[str, Origin] = PrivateAttr(default_factory=dict)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles these settings were loaded with, lowest first, groups opened."""
        return self._profiles

    def origin(self, path: str) -> Origin:
        """Where the value at a dotted path came from; of a block, where its kind did.

        Raises:
            ConfigurationError: There is no such path.
        """
        if path in self._origins:
            return self._origins[path]
        _follow(self, path)
        return Origin(Layer.DEFAULT)

    def origins(self) -> Mapping[str, Origin]:
        """The origin of everything that is not a model's default, by dotted path."""
        return dict(self._origins)

    def policies_named(self) -> dict[str, str]:
        """The policy that a block names, by the path of the block."""
        return {
            f"{part}.{path}": block.policy
            for part, blocks in self
            if isinstance(blocks, Named)
            for path, block in blocks.blocks().items()
            if block.policy is not None
        }

    def secret_values(self) -> frozenset[str]:
        """Every secret text in here, for a redactor; also the passwords inside URLs."""
        return secret_values(self)

    def _remember(self, profiles: Iterable[str], origins: Mapping[str, Origin]) -> Self:
        self._profiles = tuple(profiles)
        self._origins = dict(origins)
        return self


def _follow(value: Any, path: str) -> None:
    way: list[str] = []
    for step in path.split("."):
        known = _keys(value)
        if step not in known:
            raise ConfigurationError(
                f"there is no setting '{path}'",
                where=".".join(way),
                hint=f"{did_you_mean(step, known)}Known here: {', '.join(known) or 'nothing'}.",
            )
        value = known[step]
        way.append(step)


def _keys(value: Any) -> dict[str, Any]:
    if isinstance(value, Features):
        return dict(value.root)
    if isinstance(value, BaseModel):
        return dict(value)
    if isinstance(value, Mapping):
        return {str(key): each for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return {str(position): each for position, each in enumerate(value)}
    return {}
