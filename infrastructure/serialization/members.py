"""Members of enums: stored by name, so that neither order nor value matters later."""

from enum import Enum, Flag
from typing import Any

from infrastructure.serialization.class_names import class_of, name_of, shown
from infrastructure.serialization.errors import Reason, UnreadableError


def member_state(member: Enum) -> list[Any]:
    """The name of the class and of the member."""
    return [name_of(type(member)), member.name]


def flag_state(flags: Flag) -> list[Any]:
    """The name of the class, the names of the flags in it, and the bits without a name."""
    names = [str(each.name) for each in flags]
    rest = flags.value
    for each in flags:
        rest &= ~each.value
    return [name_of(type(flags)), names, rest]


def read_member(name: str, member: str) -> Enum:
    """The member that `member_state` took apart."""
    cls = _enum(name)
    try:
        found: Enum = cls[member]
    except KeyError:
        raise UnreadableError(
            Reason.SCHEMA, f"the enum '{shown(cls)}' has no member '{member:.200}'"
        ) from None
    return found


def read_flag(name: str, members: list[str], rest: int) -> Flag:
    """The flags that `flag_state` took apart."""
    cls = _enum(name)
    value = rest
    for member in members:
        value |= read_member(name, member).value
    found: Flag = cls(value)
    return found


def _enum(name: str) -> type[Any]:
    cls = class_of(name)
    if not issubclass(cls, Enum):
        raise UnreadableError(Reason.CLASS, f"the stored class '{name:.200}' is no enum")
    return cls
