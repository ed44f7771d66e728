"""Members of the library."""

from typing import Any

from dependency_injector.wiring import Provide, inject


class Members:
    def __init__(self, database: dict[str, Any], fee: int = 0) -> None:
        self.database = database
        self.fee = fee

    def add(self, name: str) -> None:
        self.database.setdefault("members", []).append(name)


@inject
def enrol(name: str, members: Members = Provide["members.members"]) -> int:
    members.add(name)
    return members.fee
