"""The whole of the settings, part by part."""

from pathlib import Path

from pydantic import Field

from infrastructure.config.models.base import Model, Part
from infrastructure.config.models.cache import CacheSettings
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.config.models.embeddings import EmbedderSettings
from infrastructure.config.models.llm import LLMSettings
from infrastructure.config.models.logging import LoggingConfig
from infrastructure.config.models.vector import VectorSettings


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
    """Everything a container is built from."""

    app: AppSettings = Field(default_factory=AppSettings)
    features: dict[str, bool] = Field(default_factory=dict)
    paths: PathSettings = Field(default_factory=PathSettings)
    cache: Part[CacheSettings]
    db: Part[ConnectionSettings]
    vector: Part[VectorSettings]
    embeddings: Part[EmbedderSettings]
    llm: Part[LLMSettings]
    logging: LoggingConfig = Field(default_factory=LoggingConfig)
