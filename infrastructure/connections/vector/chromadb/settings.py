"""The settings of Chroma."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from infrastructure.config.models.vector import VectorSettings

#: A part of an address: no slash leads out of it.
_ITS_NAME = r"^[^/]{3,}$"


class ChromadbSettings(VectorSettings):
    """A Chroma server (`url`), a folder (`path`), or memory when neither is set.

    Memory is gone with `disconnect()`. A folder serves one store at a time.
    """

    kind: str = "chromadb"
    path: Path | None = Field(default=None, description="Folder of the embedded mode.")
    url: str | None = Field(default=None, description="Server, such as http://localhost:8000.")
    api_key: SecretStr | None = Field(default=None, description="Key of the server; needs url.")
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

    @field_validator("url")
    @classmethod
    def _is_plain_address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://-")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            msg = "is not an address such as http://localhost:8000"
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
        return self
