"""Functions as services."""

import hashlib

from dependency_injector import containers, providers


def scrypted(word: str, salt: str, rounds: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", word.encode(), salt.encode(), rounds).hex()


class Users:
    def __init__(self, hasher: "providers.Callable[str]") -> None:
        self._hasher = hasher

    def create(self, name: str, word: str) -> dict[str, str]:
        return {"name": name, "hash": self._hasher(word)}


class Security(containers.DeclarativeContainer):
    hasher = providers.Callable(scrypted, salt="salt", rounds=2)
    users = providers.Factory(Users, hasher=hasher.provider)


def program_a_service_is_given_a_function():
    security = Security()
    user = security.users().create("ada", "word")
    assert user == {"name": "ada", "hash": scrypted("word", "salt", 2)}
    security.hasher.set_kwargs(salt="other", rounds=1)
    assert security.users().create("ada", "word")["hash"] == scrypted("word", "other", 1)
    with security.hasher.override(providers.Callable(str.upper)):
        assert security.users().create("ada", "word")["hash"] == "WORD"
    return security
