"""What a block of kind `qdrant` may say."""

from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from infrastructure.config.models.vector import VectorSettings


class FieldIndex(StrEnum):
    """What an indexed field holds."""

    KEYWORD = "keyword"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


class QdrantSettings(VectorSettings):
    """A Qdrant server (`url`), a folder (`path`), or memory when neither is set.

    Memory is gone with `disconnect()`. A folder serves one store at a time, and must not be
    writable by others: what is in it is unpickled.
    """

    kind: str = "qdrant"
    path: Path | None = Field(default=None, description="Folder of the local mode.")
    url: str | None = Field(
        default=None, description="Server, such as http://localhost:6333; 6333 is the default port."
    )
    api_key: SecretStr | None = Field(default=None, description="Key of the server; needs url.")
    pool_size: int = Field(default=10, ge=1, description="Most calls to the server at once.")
    prefer_grpc: bool = Field(
        default=False, description="Speak gRPC with the server instead of HTTP; needs url."
    )
    grpc_port: int = Field(default=6334, ge=1, le=65535, description="The server's port for gRPC.")
    indexes: dict[str, FieldIndex] = Field(
        default_factory=dict,
        description="Fields the server indexes in every collection made here, by what they hold.",
    )

    @field_validator("url")
    @classmethod
    def _is_plain_address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://-")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            msg = "is not an address such as http://localhost:6333"
            raise ValueError(msg)
        if "@" in parts.netloc or parts.query or parts.fragment:
            msg = "holds more than an address; put a key in api_key"
            raise ValueError(msg)
        return url

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if self.path is not None and self.url is not None:
            msg = "path and url exclude each other; set one, or neither for memory"
            raise ValueError(msg)
        if self.api_key is not None and self.url is None:
            msg = "api_key is for a server; set url"
            raise ValueError(msg)
        if self.prefer_grpc and self.url is None:
            msg = "prefer_grpc is for a server; set url"
            raise ValueError(msg)
        return self
