"""Loans of the library."""

from typing import Any

from dependency_injector.wiring import Provide, inject

from ..members.desk import Members


class Loans:
    def __init__(self, database: dict[str, Any], members: Members, days: int) -> None:
        self.database = database
        self.members = members
        self.days = days

    def lend(self, book: str, name: str) -> str:
        if name not in self.database.get("members", []):
            raise LookupError(name)
        self.database.setdefault("loans", {})[book] = name
        return f"{book} to {name} for {self.days} days"


@inject
async def lend(book: str, name: str, loans: Loans = Provide["loans.loans"]) -> str:
    return loans.lend(book, name)
