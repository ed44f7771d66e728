"""What the blocks have in common of stores that are a server, a folder or memory."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from infrastructure.config.models.vector import VectorSettings


class ServerOrFolderSettings(VectorSettings):
    """A server (`url`), a folder (`path`), or memory when neither is set."""

    path: Path | None = Field(default=None, description="Folder of the mode without a server.")
    url: str | None = Field(default=None, description="Address of the server.")
    api_key: SecretStr | None = Field(default=None, description="Key of the server; needs url.")

    @field_validator("url")
    @classmethod
    def _is_plain_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            msg = "is not an address such as http://localhost:8000"
            raise ValueError(msg)
        if "@" in parts.netloc or parts.query or parts.fragment:
            msg = "holds more than an address; put a key in api_key"
            raise ValueError(msg)
        # in small letters: whether certificates are verified hangs on the scheme
        return parts.geturl()

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value() if key else ""
        if text != text.strip() or not (text.isascii() and text.isprintable()):
            # the errors of clients would show it
            msg = "has a blank or line break at an end, or letters that no header carries"
            raise ValueError(msg)
        return key

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if self.path is not None and self.url is not None:
            msg = "path and url exclude each other; set one, or neither for memory"
            raise ValueError(msg)
        if self.api_key is not None and self.url is None:
            msg = "api_key is for a server; set url"
            raise ValueError(msg)
        return self
