"""Streams: entries that are kept until the groups that read them are done."""

from collections.abc import Mapping
from typing import Any

from infrastructure.connections.database.redis.calls import RedisCalls
from infrastructure.connections.database.redis.consumers import StreamConsumer
from infrastructure.connections.database.redis.scripts import beside
from infrastructure.connections.database.redis.stream_group import ConsumerOptions
from infrastructure.errors import ConfigurationError, UnsupportedError


class RedisStream:
    """The stream `name`.

    Args:
        manager: The connection.
        name: The stream's key.
        max_length: About how many entries are kept; beyond it the oldest are dropped, read or not.

    Attributes:
        dead_letters: The stream of what was delivered too often, in the slot of this one; its
            entries have the fields `dead:stream`, `dead:group`, `dead:id` and
            `dead:deliveries` besides their own.
    """

    def __init__(self, manager: RedisCalls, name: str, max_length: int) -> None:
        if max_length < 1:
            raise ConfigurationError("max_length has to be above 0", where=manager.name)
        self._manager = manager
        self.name = name
        self.max_length = max_length
        self.dead_letters = beside(name, ":dead", manager.name)

    async def publish(self, fields: Mapping[str, Any]) -> str:
        """Append an entry and give its id.

        Args:
            fields: At least one; values are str, bytes, int or float, and are read as bytes.

        Raises:
            OutcomeUnknownError: It was sent and the answer lost: it may have been appended.
        """
        if not fields:
            raise UnsupportedError("an entry needs a field", where=self._manager.name)
        words = [word for field in fields.items() for word in field]
        bound = ("MAXLEN", "~", self.max_length)
        entry = await self._manager.execute("XADD", self.name, *bound, "*", *words)
        return entry.decode()  # type: ignore[no-any-return]  # bytes

    async def length(self) -> int:
        """How many entries there are, done or not."""
        return int(await self._manager.execute("XLEN", self.name))

    def consumer(self, group: str, **options: Any) -> StreamConsumer:
        """A reader in a group: each entry is given to one of its readers, and again until done.

        Args:
            group: Created when it is not there, from the first entry on.
            **options: Fields of `ConsumerOptions`.

        Raises:
            ValidationError: (pydantic) They are none.
        """
        return StreamConsumer(self._manager, self, group, ConsumerOptions(**options))
