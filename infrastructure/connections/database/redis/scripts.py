"""Scripts in the server's own language: known by a name, checked before they are sent."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infrastructure.connections.database.redis.calls import RedisCalls
from infrastructure.connections.redis_errors import code_word
from infrastructure.connections.redis_pool import Call
from infrastructure.errors import RejectedError, UnsupportedError


@dataclass(frozen=True)
class RedisScript:
    """A Lua script, which a server runs as one step.

    Its digest is sent; the text only where a server does not know it, such as after a restart.

    Attributes:
        name: For errors, and to call it by.
        text: Lua; `KEYS` and `ARGV` are what it is called with.
        keys: How many keys it takes.
        arguments: How many arguments it takes; None for any number.
    """

    name: str
    text: str
    keys: int
    arguments: int | None = 0

    @cached_property
    def digest(self) -> str:
        """What servers know it by."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def send(
        self,
        manager: RedisCalls,
        keys: Sequence[str] = (),
        arguments: Sequence[Any] = (),
        *,
        may_repeat: bool = False,
    ) -> Any:
        """Run it and give its answer.

        Args:
            manager: The connection.
            keys: The keys; in a cluster, all of one slot.
            arguments: str, bytes, int or float.
            may_repeat: Run twice, it does no harm; only then it is ever sent twice.

        Raises:
            UnsupportedError: The numbers are not those declared, or the slots differ; nothing
                was sent.
            RejectedError: It ended with an error; what it had written before, stays written.
        """
        self._check(manager, keys, arguments)
        rest = (len(keys), *keys, *arguments)
        key = keys[0] if keys else ""
        known = Call("EVALSHA", self.digest, *rest, key=key, may_repeat=may_repeat)
        try:
            (answer,) = await manager.send(known)
        except RejectedError as error:
            if code_word(error.__cause__) != "NOSCRIPT":
                raise
            whole = Call("EVAL", self.text, *rest, key=key, may_repeat=may_repeat)
            (answer,) = await manager.send(whole)
        return answer

    def send_behind(
        self, manager: RedisCalls, keys: Sequence[str], arguments: Sequence[Any]
    ) -> "asyncio.Task[None] | None":
        """Run it once or twice, to its end even if the caller is cancelled; a failure is logged.

        Returns:
            What may be waited for; None where nothing is open, and nothing is sent.
        """
        if manager.loop is not asyncio.get_running_loop():
            return None
        command = ("EVAL", self.text, len(keys), *keys, *arguments)
        return manager.send_behind(Call(*command, key=keys[0], may_repeat=True))

    def _check(self, manager: RedisCalls, keys: Sequence[str], arguments: Sequence[Any]) -> None:
        takes = {"keys": (self.keys, len(keys)), "arguments": (self.arguments, len(arguments))}
        for what, (wanted, given) in takes.items():
            if wanted not in {None, given}:
                raise UnsupportedError(
                    f"script '{self.name}' takes {wanted} {what}, and was given {given}",
                    where=manager.name,
                )
        groups = manager.together(keys)
        if len(groups) > 1:
            first, other = keys[groups[0][0]], keys[groups[1][0]]
            raise UnsupportedError(
                f"script '{self.name}': '{first}' and '{other}' are in different slots",
                where=manager.name,
                hint="Give the keys a common part in braces, such as {order:7}.",
            )


def beside(name: str, suffix: str, where: str = "") -> str:
    """The name of another key that a cluster keeps in the slot of this one.

    Raises:
        UnsupportedError: Braces in the name leave no way to.
    """
    first = name.find("{")
    has_tag = first >= 0 and name.find("}", first) > first + 1
    if has_tag:
        return name + suffix
    if "}" in name or not name:
        raise UnsupportedError(
            f"'{name}' cannot be used: it is empty, or its braces are", where=where
        )
    return f"{{{name}}}{suffix}"
