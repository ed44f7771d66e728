"""One connection to a memcached server, in its text protocol."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Self

from infrastructure.errors import (
    AuthenticationError,
    DataError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnsupportedError,
)

_END: Final = b"\r\n"
_LONGEST_LINE: Final = 2**16
_STORED: Final = b"STORED"
_NOT_STORED: Final = frozenset({b"NOT_STORED", b"EXISTS", b"NOT_FOUND"})


class Stored(NamedTuple):
    """What a key holds, and the number by which it is seen that it was changed."""

    data: bytes
    unique: int


class Store(NamedTuple):
    """A command that writes.

    Attributes:
        verb: `set`, `add` or `cas`.
        exptime: As the protocol has it: seconds from now, a moment, 0 for never, -1 for at once.
        unique: What `cas` compares.
    """

    verb: str
    name: bytes
    data: bytes
    exptime: int
    unique: int = 0


class Line:
    """Commands and their answers, one exchange at a time.

    Attributes:
        is_clean: Every command was answered, so that the next answer is the next command's.
        in_doubt: A command that must not be sent twice was sent, and no answer came.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._where = where
        self.is_clean = True
        self.in_doubt = False

    @classmethod
    async def open(
        cls, host: str, port: int, *, tls: ssl.SSLContext | None, login: str, where: str
    ) -> Self:
        """Connect, and log in where there is a login of the form `user password`."""
        streams = await asyncio.open_connection(host, port, ssl=tls, limit=_LONGEST_LINE)
        line = cls(*streams, where)
        try:
            if login:
                await line.store([Store("set", b"login", login.encode(), 0)])
        except RejectedError as error:
            line.drop()
            raise AuthenticationError("memcached refused the login", where=where) from error
        except BaseException:
            line.drop()
            raise
        return line

    @property
    def is_usable(self) -> bool:
        """Whether another exchange may be begun."""
        return self.is_clean and not self._reader.at_eof() and self._reader.exception() is None

    def drop(self) -> None:
        """Cut the connection; answers still on their way reach nobody."""
        self._writer.transport.abort()

    async def get(self, names: Sequence[bytes], most_bytes: int) -> dict[bytes, Stored]:
        """What the names hold, those that hold something."""
        await self._send([b"gets ", b" ".join(names), _END])
        found: dict[bytes, Stored] = {}
        while (words := (await self._answer()).split()) != [b"END"]:
            name, stored = await self._stored(words, most_bytes)
            found[name] = stored
        self.is_clean = True
        return found

    async def store(self, commands: Sequence[Store]) -> list[bool]:
        """Write all; say of each whether it was stored."""
        self.in_doubt = any(command.verb != "set" for command in commands)
        await self._send(part for command in commands for part in _written(command))
        return [word == _STORED for word in await self._words(len(commands), _NOT_STORED)]

    async def delete(self, names: Sequence[bytes]) -> None:
        """Remove all."""
        await self._send(part for name in names for part in (b"delete ", name, _END))
        await self._words(len(names), frozenset({b"DELETED", b"NOT_FOUND"}))

    async def version(self) -> str:
        """What the server says it is."""
        await self._send([b"version", _END])
        answer = await self._answer()
        if not answer.startswith(b"VERSION "):
            raise self._nonsense(answer)
        self.is_clean = True
        return answer[8:].decode(errors="replace")

    async def _send(self, parts: Iterable[bytes]) -> None:
        self.is_clean = False
        self._writer.writelines(parts)
        await self._writer.drain()

    async def _words(self, count: int, allowed: frozenset[bytes]) -> list[bytes]:
        """One answer a command, all of them read also when one of them is a refusal."""
        words: list[bytes] = []
        refusal: InfrastructureError | None = None
        for _ in range(count):
            try:
                words.append(await self._answer())
            except RejectedError as error:
                refusal = refusal or error
                continue
            except OverloadedError as error:
                refusal = error
                continue
            if words[-1] != _STORED and words[-1] not in allowed:
                raise self._nonsense(words[-1])
        self.is_clean, self.in_doubt = True, False
        if refusal is not None:
            raise refusal
        return words

    async def _stored(self, words: list[bytes], most_bytes: int) -> tuple[bytes, Stored]:
        """`VALUE <name> <flags> <bytes> <unique>`, and as many bytes."""
        try:
            mark, name, _, size, unique = words
            length, number = int(size), int(unique)
        except ValueError:
            raise self._nonsense(b" ".join(words)) from None
        if mark != b"VALUE" or not 0 <= length <= most_bytes:
            raise self._nonsense(b" ".join(words))
        data = await self._reader.readexactly(length + len(_END))
        if not data.endswith(_END):
            raise self._nonsense(data[-len(_END) :])
        return name, Stored(data[: -len(_END)], number)

    async def _answer(self) -> bytes:
        try:
            answer = (await self._reader.readuntil(_END))[: -len(_END)]
        except asyncio.LimitOverrunError:
            raise self._nonsense(b"a line without an end") from None
        if answer.startswith((b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")):
            raise self._refusal(answer.decode(errors="replace"))
        return answer

    def _refusal(self, answer: str) -> InfrastructureError:
        if "too large" in answer:
            what = "the value is larger than memcached takes"
            return UnsupportedError(what, where=self._where, hint="Raise its option -I.")
        if "unauthenticated" in answer:
            what = "memcached asks for a login"
            return AuthenticationError(what, where=self._where)
        if answer.startswith("SERVER_ERROR"):
            return OverloadedError(f"memcached cannot serve now ({answer:.80})", where=self._where)
        return RejectedError(f"memcached refused ({answer:.80})", where=self._where)

    def _nonsense(self, answer: bytes) -> DataError:
        return DataError(f"what answers is not memcached: {answer[:40]!r}", where=self._where)


def _written(command: Store) -> tuple[bytes, ...]:
    unique = f" {command.unique}" if command.verb == "cas" else ""
    numbers = f" 0 {command.exptime} {len(command.data)}{unique}\r\n"
    return f"{command.verb} ".encode(), command.name, numbers.encode(), command.data, _END
