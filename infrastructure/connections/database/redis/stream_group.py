"""A group of a stream at the server: what one of its readers asks and says."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pydantic import Field

from infrastructure.config.models.base import Model, Seconds
from infrastructure.connections.database.redis.calls import RedisCalls
from infrastructure.connections.database.redis.lease import LONGEST_LEASE_SECONDS
from infrastructure.connections.database.redis.stream_scripts import CLAIM, GIVE_BACK, TIDY, TOUCH
from infrastructure.connections.redis_errors import code_word
from infrastructure.connections.redis_pool import Call
from infrastructure.errors import RejectedError

_FORGET_MILLISECONDS: Final = 3_600_000


class ConsumerOptions(Model):
    """How a group's entries are read.

    Attributes:
        name: The reader's, different from every other of the group; made up by default.
        lease_seconds: How long an entry stays with a reader that is not heard of, a day at most.
            A living one renews, so that work may take longer.
        max_deliveries: An entry given so often in vain becomes a dead letter.
        prefetch: How many entries are taken at once; more are quicker, and wait for their turn
            here while other readers may be idle.
        trims: Whether entries that every group of the stream is done with are removed.
    """

    name: str = ""
    lease_seconds: Seconds = Field(default=30.0, le=LONGEST_LEASE_SECONDS)
    max_deliveries: int = Field(default=5, ge=1)
    prefetch: int = Field(default=1, ge=1, le=10_000)
    trims: bool = True


class Entry(NamedTuple):
    """What is given to a reader; `deliveries` counts this time, too."""

    id: str
    fields: dict[str, bytes]
    deliveries: int


class Claimed(NamedTuple):
    """What came of looking after what others left: entries, and how many were given up."""

    entries: list[Entry]
    dead: int
    trimmed: int

    @property
    def looked_at(self) -> int:
        """How many, in all."""
        return len(self.entries) + self.dead + self.trimmed


class StreamGroup:
    """The group `name` of `stream`, seen by its reader `consumer`.

    Args:
        manager: The connection.
        keys: The stream and that of its dead letters.
        name: The group's.
        consumer: The reader's.
        options: How it reads.
    """

    def __init__(
        self,
        manager: RedisCalls,
        keys: tuple[str, str],
        *,
        name: str,
        consumer: str,
        options: ConsumerOptions,
    ) -> None:
        self._manager = manager
        self._keys = keys
        self._stream = keys[0]
        self._name = name
        self._consumer = consumer
        self._options = options
        self._milliseconds = max(1, round(options.lease_seconds * 1000))

    async def make(self) -> None:
        """Harmless when it is there; what is in the stream already is read, too."""
        command = ("XGROUP", "CREATE", self._stream, self._name, "0", "MKSTREAM")
        try:
            await self._manager.send(Call(*command, key=self._stream, may_repeat=True))
        except RejectedError as error:
            if code_word(error.__cause__) != "BUSYGROUP":
                raise

    async def read(self, seconds: float) -> list[Entry]:
        """New entries, as soon as there are some; the server waits for so long at most."""
        how = ("COUNT", self._options.prefetch, "BLOCK", max(1, int(seconds * 1000)))
        command = ("XREADGROUP", "GROUP", self._name, self._consumer, *how, "STREAMS", self._stream)
        (answer,) = await self._manager.send(Call(*command, ">", key=self._stream, may_repeat=True))
        found = answer or ()
        return [_entry(raw, flat, 1) for _, entries in found for raw, flat in entries]

    async def claim(self, max_dead: int) -> Claimed:
        """Take over what nobody has worked on for the time of a lease, `prefetch` at most."""
        bounds = (self._options.prefetch, self._options.max_deliveries, max_dead)
        arguments = (self._name, self._consumer, self._milliseconds, *bounds)
        taken, *given_up = await CLAIM.send(self._manager, self._keys, arguments, may_repeat=True)
        return Claimed([_entry(*each) for each in taken], *given_up)

    async def touch(self, ids: Iterable[str]) -> set[str]:
        """Say that these are worked on; gives those that somebody else has, or has done."""
        arguments = (self._name, self._consumer, *ids)
        lost = await TOUCH.send(self._manager, self._keys[:1], arguments, may_repeat=True)
        return {raw.decode() for raw in lost}

    def give_back(self, deliveries: Mapping[str, int]) -> "asyncio.Task[None] | None":
        """Let others have these at once, as if they had never been given here.

        Args:
            deliveries: How often each was given, by its id.

        Returns:
            What `RedisScript.send_behind` gives.
        """
        before = (word for one, count in deliveries.items() for word in (one, count - 1))
        arguments = (self._name, self._consumer, self._milliseconds, *before)
        return GIVE_BACK.send_behind(self._manager, self._keys[:1], arguments)

    async def done(self, entry: str) -> None:
        """Nobody is given it again."""
        command = ("XACK", self._stream, self._name, entry)
        await self._manager.send(Call(*command, key=self._stream, may_repeat=True))

    async def tidy(self) -> None:
        """Remove what every group is done with, and readers that have long gone."""
        forget = (max(_FORGET_MILLISECONDS, 10 * self._milliseconds),)
        await TIDY.send(self._manager, self._keys[:1], forget, may_repeat=True)


def _entry(raw: bytes, flat: list[bytes], deliveries: int) -> Entry:
    names = (name.decode(errors="surrogateescape") for name in flat[::2])
    fields = dict(zip(names, flat[1::2], strict=True))
    return Entry(raw.decode(), fields, deliveries)
