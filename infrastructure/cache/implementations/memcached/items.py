"""What a key of memcached holds: a value with its end, a right to fill it, or both."""

import hashlib
import time
from collections import Counter
from typing import Any, Final, NamedTuple

from infrastructure.errors import UnsupportedError
from infrastructure.serialization import Envelope, Reason, UnreadableError, decode, encode

_LONGEST_NAME: Final = 250
_HASHED: Final = b"~"
_UNFIT: Final = frozenset({*range(0x21), 0x7F})
_LONGEST_SECONDS: Final = 30 * 24 * 3600
_LAST_MOMENT: Final = 2**31 - 1
#: The server's clock goes by whole seconds; an item must not end before its value does.
_SPARE_SECONDS: Final = 2


class Item(NamedTuple):
    """The content of one key; of a value and a lease, each has its own end.

    Attributes:
        until: When the value ends, by the clock of who wrote it.
        body: The value in bytes; None when there is only a lease.
        token: Of a lease; empty when there is none.
        token_until: When the lease ends.
    """

    until: float = 0.0
    body: bytes | None = None
    token: str = ""
    token_until: float = 0.0

    def exptime(self, now: float) -> int:
        """When the server may forget it, as the protocol has it."""
        end = max(self.until if self.body is not None else 0.0, self.token_until)
        seconds = int(end - now) + _SPARE_SECONDS
        if end <= now:
            return -1
        if seconds <= _LONGEST_SECONDS:
            return seconds
        moment = int(end) + _SPARE_SECONDS
        return moment if moment <= _LAST_MOMENT else 0

    def alive(self, now: float) -> "Item":
        """The same without what has ended."""
        item = self if self.until > now else self._replace(until=0.0, body=None)
        return item if item.token_until > now else item.unleased()

    def unleased(self) -> "Item":
        """The same without the lease."""
        return self._replace(token="", token_until=0.0)


class Items:
    """Items in bytes and back, and the names of keys.

    Args:
        envelope: Wraps them.
        max_item_bytes: The most the server takes.
        where: The provider path for errors.

    Attributes:
        unreadable: How many could not be read, by reason.
    """

    def __init__(self, envelope: Envelope, *, max_item_bytes: int, where: str) -> None:
        self.unreadable: Counter[str] = Counter()
        self._envelope = envelope
        self._max_item_bytes = max_item_bytes
        self._where = where

    def body(self, value: Any) -> bytes:
        """A value in bytes."""
        return encode(value, where=self._where)

    def value(self, body: bytes) -> Any:
        """The value of such bytes.

        Raises:
            UnreadableError: Of a class that is not here, or has changed.
        """
        try:
            return decode(body, where=self._where)
        except UnreadableError as error:
            self.unreadable[error.reason] += 1
            raise

    def seal(self, key: str, item: Item) -> bytes:
        """What the server is to keep.

        Raises:
            UnsupportedError: It is larger than the server takes.
        """
        whole = key if is_hashed(name_of(key)) else None
        data = self._envelope.seal([whole, *item], key)
        if len(data) > self._max_item_bytes:
            what = f"a value of {len(data)} bytes is larger than memcached takes"
            raise UnsupportedError(
                f"{what} ({self._max_item_bytes})",
                where=self._where,
                hint="Store less under one key, compress, or raise max_item_bytes and option -I.",
            )
        return data

    def open(self, key: str, data: bytes) -> Item:
        """The item, without what has ended; an empty one when it cannot be read."""
        try:
            return _item(self._envelope.open(data, key), key).alive(time.time())
        except UnreadableError as error:
            self.unreadable[error.reason] += 1
        except (TypeError, ValueError):
            self.unreadable[Reason.UNREADABLE] += 1
        return Item()


def _item(content: Any, key: str) -> Item:
    """What was sealed, if it is an item of this very key and not of one with the same digest."""
    whole, until, body, token, token_until = content
    if whole is not None and whole != key:
        raise UnreadableError(Reason.DAMAGED, "the name is shared with another key")
    if body is not None and type(body) is not bytes:
        raise TypeError("a body is bytes")
    return Item(until, body, token, token_until)


def name_of(key: str) -> bytes:
    """The key as the server may be told it: itself, or a digest of it."""
    name = key.encode(errors="surrogatepass")
    if len(name) <= _LONGEST_NAME and _UNFIT.isdisjoint(name) and not is_hashed(name):
        return name
    return _HASHED + hashlib.blake2b(name, digest_size=32).hexdigest().encode()


def is_hashed(name: bytes) -> bool:
    """Whether a name is a digest; no other name starts as one does."""
    return name.startswith(_HASHED)
