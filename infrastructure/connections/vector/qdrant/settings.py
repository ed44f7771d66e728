"""What a block of kind `qdrant` may say."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from infrastructure.connections.vector.settings import ServerOrFolderSettings


class FieldIndex(StrEnum):
    """What an indexed field holds."""

    KEYWORD = "keyword"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


class QdrantSettings(ServerOrFolderSettings):
    """A Qdrant server (`url`), a folder (`path`), or memory when neither is set.

    Memory is gone with `disconnect()`. A folder serves one store at a time, and must not be
    writable by others: what is in it is unpickled.
    """

    kind: str = "qdrant"
    url: str | None = Field(
        default=None, description="Server, such as http://localhost:6333; 6333 is the default port."
    )
    pool_size: int = Field(default=10, ge=1, description="Most calls to the server at once.")
    prefer_grpc: bool = Field(
        default=False, description="Speak gRPC with the server instead of HTTP; needs url."
    )
    grpc_port: int = Field(default=6334, ge=1, le=65535, description="The server's port for gRPC.")
    indexes: dict[str, FieldIndex] = Field(
        default_factory=dict,
        description="Fields the server indexes in every collection made here, by what they hold.",
    )

    @model_validator(mode="after")
    def _speaks_with_a_server(self) -> Self:
        if self.prefer_grpc and self.url is None:
            msg = "prefer_grpc is for a server; set url"
            raise ValueError(msg)
        return self
