"""The settings of Chroma."""

from pydantic import Field

from infrastructure.connections.vector.settings import ServerOrFolderSettings

#: A part of an address: no slash leads out of it.
_ITS_NAME = r"^[^/]{3,}$"


class ChromadbSettings(ServerOrFolderSettings):
    """A Chroma server (`url`), a folder (`path`), or memory when neither is set.

    Memory is gone with `disconnect()`. A folder serves one store at a time.
    """

    kind: str = "chromadb"
    url: str | None = Field(default=None, description="Server, such as http://localhost:8000.")
    api_key_header: str = Field(
        default="x-chroma-token",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Where the key goes; behind `Bearer` in `authorization`.",
    )
    account: str = Field(
        default="default_tenant",
        pattern=_ITS_NAME,
        description="What Chroma calls a tenant: whose databases.",
    )
    database: str = Field(
        default="default_database", pattern=_ITS_NAME, description="Where the collections are."
    )
    pool_size: int = Field(default=10, ge=1, description="Most calls at once.")
