"""One connection to a server: opened with every choice explicit, and whether it is dead."""

import ssl
from collections.abc import Sequence
from typing import Any, Final

from hiredis import pack_command
from redis import exceptions as vendor
from redis.asyncio import Connection, SSLConnection
from redis.asyncio.connection import DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from infrastructure.connections.redis_address import Endpoint, RedisAddress
from infrastructure.connections.tls import tls_context

Command = Sequence[Any]
"""A command and its arguments: str, bytes, int or float."""

#: A default connection fails in another way with each constructor, and sends four commands
#: before the first: nothing is left to defaults. The protocol is RESP2: servers of every age
#: speak it, and it costs a new connection no extra round trip.
EXPLICIT: Final[dict[str, Any]] = {
    "socket_keepalive": True,
    "retry_on_error": [],
    "health_check_interval": 0,
    "protocol": 2,
    "decode_responses": False,
    "driver_info": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
}


class Parser(DefaultParser):  # type: ignore[misc,valid-type]  # the vendor chose it when it was imported
    """The vendor's on hiredis, which also reads the answers to a whole exchange in one go."""

    _nothing: Any

    def on_connect(self, connection: Any) -> None:
        """Begin with a reader of its own."""
        super().on_connect(connection)
        self._nothing = self._reader.gets()

    async def answers(self, count: int) -> list[Any]:
        """The next answers, a refusal standing among them as an exception."""
        reader, nothing = self._reader, self._nothing
        found: list[Any] = []
        for _ in range(count):
            answer = reader.gets()
            while answer is nothing:
                await self.read_from_socket()
                answer = reader.gets()
            if isinstance(answer, vendor.ConnectionError):
                raise answer
            found.append(answer)
        return found


class Line(Connection):
    """A connection that takes whole exchanges and knows whether it is still good.

    Attributes:
        uses: How many exchanges it has carried; above 1, it may have died in between.
    """

    uses = 0

    def __init__(self, **choices: Any) -> None:
        super().__init__(parser_class=Parser, **choices)

    @property
    def is_dead(self) -> bool:
        """Closed, reset while idle, or with bytes on it that nobody asked for."""
        reader = self._reader
        return (
            reader is None
            or reader.exception() is not None
            or reader.at_eof()
            or bool(reader._buffer)  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio offers no public look
        )

    async def can_read(self) -> bool:
        """As the vendor's pool asks; the vendor notices an orderly close only."""
        if self._reader is not None and self._reader.exception() is not None:
            raise vendor.ConnectionError("reset while idle")
        return await super().can_read()

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send all at once and read the answers, a refusal standing among them as an exception.

        Whatever else goes wrong, a cancellation too, closes the line: an answer that was not
        read must never reach the next caller.
        """
        self.uses += 1
        packed, writer, parser = self._packed(commands), self._writer, self._parser
        if writer is None:
            raise vendor.ConnectionError("used after it was closed")
        try:
            writer.write(packed)
            if writer.transport.get_write_buffer_size():
                await writer.drain()
            answers: list[Any] = await parser.answers(len(commands))  # type: ignore[attr-defined]  # it is ours
        except BaseException as error:
            await self.cut()
            if isinstance(error, OSError):
                raise vendor.ConnectionError(*error.args) from error
            raise
        return answers

    async def push(self, command: Command) -> None:
        """Send without reading an answer, as a subscriber does."""
        await self.send_packed_command(self.pack_command(*command), check_health=False)

    async def cut(self) -> None:
        """Close at once, without waiting for the other side."""
        await self.disconnect(nowait=True)

    def _packed(self, commands: Sequence[Command]) -> bytes:
        """As the vendor packs, ten times faster where every word stands by itself."""
        try:
            packed = [pack_command(tuple(command)) for command in commands if " " not in command[0]]
        except TypeError:  # the vendor takes a little more, and says what it does not take
            packed = []
        if len(packed) < len(commands):
            packed = [part for command in commands for part in self.pack_command(*command)]
        return b"".join(packed)


class TlsLine(SSLConnection, Line):
    """The same over TLS.

    Args:
        tls: Shared by all lines: the vendor would read the authorities anew for each.
    """

    def __init__(self, *, tls: ssl.SSLContext, **choices: Any) -> None:
        super().__init__(**choices)
        self.ssl_context.context = tls


def line_kind(address: RedisAddress, where: str) -> tuple[type[Line], dict[str, Any]]:
    """The class of the lines to an address, and what it takes beside the place and the login.

    Raises:
        ConfigurationError: `tls_ca_file` cannot be used.
    """
    if not address.tls:
        return Line, EXPLICIT
    return TlsLine, {**EXPLICIT, "tls": tls_context(address.tls_ca_file, where)}


class LineMaker:
    """Opens lines to the servers of one address.

    Attributes:
        opened: How many were opened so far.
    """

    def __init__(
        self, address: RedisAddress, *, connect_timeout_seconds: float, where: str = ""
    ) -> None:
        self.address = address
        self._kind, self._choices = line_kind(address, where)
        self.opened = 0
        self._connect_timeout_seconds = connect_timeout_seconds

    async def open(self, endpoint: Endpoint, *, to_sentinel: bool = False) -> Line:
        """A line that is connected, logged in and named.

        Nothing bounds the wait for one answer but the deadline around the call: the vendor's
        own bound starts a task for each command.
        """
        line = self._line(endpoint, self._sentinel_login() if to_sentinel else self._login())
        try:
            await line.connect()  # type: ignore[no-untyped-call]  # the vendor's
        except BaseException:
            await line.cut()
            raise
        self.opened += 1
        return line

    def _line(self, endpoint: Endpoint, login: dict[str, Any]) -> Line:
        return self._kind(
            host=endpoint.host,
            port=endpoint.port,
            client_name=self.address.client_name or None,
            socket_timeout=None,
            socket_connect_timeout=self._connect_timeout_seconds,
            retry=no_retry(),
            **login,
            **self._choices,
        )

    def _login(self) -> dict[str, Any]:
        return {"db": self.address.database, **login(self.address)}

    def _sentinel_login(self) -> dict[str, Any]:
        secret = self.address.sentinel_password
        return {
            "username": self.address.sentinel_username or None,
            "password": (secret.get_secret_value() if secret else "") or None,
        }


def login(address: RedisAddress) -> dict[str, Any]:
    """Username and password in the vendor's words; an empty one is none."""
    secret = address.password.get_secret_value() if address.password else ""
    return {"username": address.username or None, "password": secret or None}


def no_retry() -> Retry:
    """A lost answer is never asked for again by the vendor: one INCR could count four times."""
    return Retry(NoBackoff(), 0)
