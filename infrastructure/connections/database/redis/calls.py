"""Calls to Redis or Valkey: one command, many, and what is built on them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from redis.asyncio import Redis

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.base import AsyncBaseConnectionManager
from infrastructure.connections.database.redis.guests import Guests
from infrastructure.connections.redis_address import RedisAddress
from infrastructure.connections.redis_client import answer_of, build_client
from infrastructure.connections.redis_component import RedisComponent
from infrastructure.connections.redis_errors import TRANSLATED, translated
from infrastructure.connections.redis_line import Line
from infrastructure.connections.redis_pool import Call
from infrastructure.connections.redis_topology import SingleServer
from infrastructure.errors import (
    InfrastructureError,
    OverloadedError,
    UnavailableError,
    UnsupportedError,
)

#: Their first key stands behind the number of keys.
_COUNTED = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
_FIRST_COUNTED_KEY = 3
#: They leave the connection in another state, in which the next caller would find it.
_OF_A_CONNECTION = frozenset(
    {
        *("ASKING", "AUTH", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "PSUBSCRIBE", "PSYNC"),
        *("PUNSUBSCRIBE", "QUIT", "READONLY", "READWRITE", "RESET", "SELECT", "SSUBSCRIBE"),
        *("SUBSCRIBE", "SUNSUBSCRIBE", "SYNC", "UNSUBSCRIBE", "UNWATCH", "WATCH"),
        *("CLIENT CACHING", "CLIENT CAPA", "CLIENT IMPORT-SOURCE", "CLIENT NO-EVICT"),
        *("CLIENT NO-TOUCH", "CLIENT REPLY", "CLIENT SETINFO", "CLIENT SETNAME"),
        *("CLIENT TRACKING", "SCRIPT DEBUG"),
    }
)
_OF_TWO_WORDS = frozenset({"CLIENT", "SCRIPT"})


class RedisConnectionSettings(ConnectionSettings, RedisAddress):
    """A block under `db:` with kind redis."""

    kind: str = "redis"


class RedisCalls(RedisComponent, AsyncBaseConnectionManager):
    """What a connection manager of Redis does with commands.

    Attributes:
        guests: What lives on it for longer than a call.
    """

    Settings: ClassVar[type[RedisConnectionSettings]] = RedisConnectionSettings
    settings: RedisConnectionSettings
    operations = frozenset({"execute_many", "transaction"})
    _vendors: Redis | None = None

    def __init__(self, settings: RedisConnectionSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.guests = Guests()

    @property
    def client(self) -> Redis:
        """The vendor's client, for what `execute` does not cover; it raises the vendor's errors.

        It is for one server, and has a pool of its own beside the one of `execute`.

        Raises:
            UnavailableError: Not connected.
            UnsupportedError: There is a cluster, or sentinels; `execute` knows them.
        """
        if not isinstance(self._live_topology(), SingleServer):
            raise UnsupportedError(
                "the vendor's client is for one server", where=self.name, hint="Use execute()."
            )
        if self._vendors is None:
            self._vendors = build_client(
                self.settings,
                timeout_seconds=self.settings.timeout_seconds,
                connect_timeout_seconds=self.settings.connect_timeout_seconds,
                where=self.name,
            )
        return self._vendors

    async def execute(self, *command: Any) -> Any:
        """Run one command, such as `execute("INCR", "visits")`, and give its answer.

        The command is sent once, never repeated. In a cluster its first argument is taken for
        its key; where that is wrong, the cluster says so and is followed.

        Raises:
            UnavailableError: No connection could be had, so nothing was sent.
            OutcomeUnknownError: It was sent and the answer lost: it may have been applied.
            RejectedError: The server refused it.
        """
        (answer,) = await self.send(self._call(command))
        return answer_of(command, answer)

    async def execute_many(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Run commands in one round trip, to each server concerned, and give their answers.

        Others may be run between them.

        Raises:
            RejectedError: One was refused; the others were run all the same.
            OutcomeUnknownError: Any of them may have been applied.
        """
        answers = await self.send(*(self._call(each) for each in commands))
        return [answer_of(*each) for each in zip(commands, answers, strict=True)]

    async def transaction(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Run commands as one step, no other between them, and give their answers.

        Raises:
            RejectedError: One was refused. When that was before any was run, none was; a command
                that fails while it is run, such as on a value of another type, undoes no other.
            OutcomeUnknownError: All of them may have been applied, or none.
            UnsupportedError: There is a cluster; a script is one step there, too.
        """
        if self.settings.is_cluster:
            raise UnsupportedError(
                "a cluster takes no transaction", where=self.name, hint="Use a script."
            )
        calls = [self._call(each) for each in commands]
        for call in calls:
            call.may_repeat = True  # it is EXEC that applies them
        answers = (await self.send(Call("MULTI", may_repeat=True), *calls, Call("EXEC")))[-1]
        for answer in answers:
            if isinstance(answer, Exception):
                raise self.translated(answer) or answer
        return [answer_of(*each) for each in zip(commands, answers, strict=True)]

    async def ping(self) -> None:
        """Ask the server for a sign of life, within `timeout_seconds`.

        Raises:
            UnavailableError: It gave none.
        """
        async with self.calling():
            await self._ping()

    async def disconnect(self) -> None:
        """Close as every manager does; subscriptions and readers end, and locks are lost."""
        await self.guests.end()
        try:
            await super().disconnect()
        finally:
            await self.guests.end()  # those that came while the calls in flight ended

    async def rotate(self, **changes: Any) -> bool:
        """As every manager does; subscriptions are made anew then."""
        before = self.settings
        try:
            return await super().rotate(**changes)
        finally:
            if self.settings is not before:  # also where they could not be opened with
                await self.guests.move()

    async def send(self, *calls: Call) -> list[Any]:
        """As `run`, and closing waits for it; for what is built on this, under no policy."""
        await self.drain.begin()
        try:
            answers = await self.run(*calls)
        except OverloadedError as error:
            self.note_failure(error)
            raise
        finally:
            self.drain.end()
        self.note_answer()
        return answers

    async def subscriber(self, key: str = "") -> Line:
        """As every component does; what is being closed is not opened again for a listener.

        Raises:
            UnavailableError: It is being closed.
        """
        if self.loop is None and self.drain.is_closing:
            raise UnavailableError("is being closed", where=self.name)
        return await super().subscriber(key)

    def translated(self, error: Exception) -> InfrastructureError | None:
        """Our error for one of the vendor's; None when it is not its."""
        if not isinstance(error, TRANSLATED):
            return None
        return translated(error, self.name, self.settings, self.settings.timeout_seconds)

    def _note(self, *, is_down: bool, reason: str) -> None:
        super()._note(is_down=is_down, reason=reason)
        if is_down:
            self.note_failure(UnavailableError(reason, where=self.name))

    async def _open(self) -> None:
        self._vendors = None
        await super()._open()

    async def _close(self) -> None:
        vendors, self._vendors = self._vendors, None
        try:
            await super()._close()
        finally:
            if vendors is not None:
                await vendors.aclose()

    def _call(self, command: Sequence[Any]) -> Call:
        """The call of a command, on a connection that others use next.

        Raises:
            UnsupportedError: It has no name, or would change the connection.
        """
        words = command[0].upper().split() if command and isinstance(command[0], str) else None
        if not words:
            raise UnsupportedError(
                'a command begins with its name, such as execute("GET", "key")', where=self.name
            )
        name = words[0]
        if name in _OF_TWO_WORDS:
            name = " ".join([*words, *map(_text, command[1:])][:2]).upper()
        if name in _OF_A_CONNECTION:
            raise UnsupportedError(
                f"{name} would change the connection, which others use next",
                where=self.name,
                hint="See transaction(), subscribe(), rotate() and `client`.",
            )
        place = _FIRST_COUNTED_KEY if name in _COUNTED else 1
        if len(command) <= place:
            return Call(*command)
        return Call(*command, key=_text(command[place]))


def _text(word: Any) -> str:
    return word.decode(errors="surrogateescape") if isinstance(word, bytes) else str(word)
