"""What is a secret: by the type of a field, by its name, and every secret of the settings."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, SecretBytes, SecretStr

_WORDS = frozenset(
    [
        "auth",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "dsn",
        "key",
        "keys",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "private",
        "pwd",
        "salt",
        "secret",
        "secrets",
        "signature",
        "token",
    ]
)
_JOINED = re.compile(r"passw|secret|apikey|credential|token$")


def looks_secret(name: str) -> bool:
    """The name of a key suggests that its value must not be shown."""
    lower = name.lower()
    return bool(_WORDS.intersection(re.split(r"[^a-z0-9]+", lower)) or _JOINED.search(lower))


def is_secret_type(annotation: Any) -> bool:
    """The annotation is, or has in it, one of the secret types."""
    if isinstance(annotation, type) and issubclass(annotation, (SecretStr, SecretBytes)):
        return True
    return any(is_secret_type(argument) for argument in get_args(annotation))


def secret_values(value: Any) -> frozenset[str]:
    """Every secret text below `value`, whole and, where it is a URL, the password alone."""
    return frozenset(text for text in _texts(value, "") if text)


def _texts(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield from _variants(value.get_secret_value())
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", errors="replace")
    elif isinstance(value, BaseModel):
        for field, each in value:
            yield from _texts(each, field)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, str(key))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from _texts(each, name)
    elif isinstance(value, str) and name and looks_secret(name):
        yield value


def _variants(secret: str) -> Iterator[str]:
    yield secret
    _, separator, rest = secret.partition("://")
    credentials, at, _ = rest.rpartition("@")
    if separator and at:
        password = credentials.partition(":")[2] or credentials
        yield password
        yield unquote(password)
    for key, value in parse_qsl(rest.partition("?")[2]):
        if looks_secret(key):
            yield value
