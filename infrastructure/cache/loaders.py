"""How a loader is called, and what it may say beside its value."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from infrastructure.cache.entries import MISSING, Entry
from infrastructure.cache.keys import checked_tags, checked_ttl
from infrastructure.cache.snapshots import Snapshot

#: What gives the value of a key that is not cached; sync or async, with a `LoadContext` or without.
Loader = Callable[..., Any]


class NotModified:
    """The type of `NOT_MODIFIED`."""

    def __repr__(self) -> str:
        return "NOT_MODIFIED"


#: A loader's answer that the stale value it was shown is still right.
NOT_MODIFIED: Final = NotModified()


class LoadContext:
    """What a loader with a parameter is given: what is known, and what it may change.

    Attributes:
        key: The key that is loaded.
        stale: The value there was, an object of the loader's own; or `MISSING`.
        etag: What an earlier load said of its source's version; set it to say it of this one. A
            new value whose loader leaves it as it was has none.
        ttl_seconds: How long the value will be fresh; may be changed.
        tags: Names it can be removed under; may be changed.
        is_kept: Set it to False to give the value without keeping it.
    """

    __slots__ = ("etag", "is_kept", "key", "stale", "tags", "ttl_seconds")

    def __init__(
        self, key: str, seen: Entry | None, ttl_seconds: float, tags: tuple[str, ...]
    ) -> None:
        self.key = key
        self.stale: Any = MISSING if seen is None else Snapshot(seen.value).get()
        self.etag = None if seen is None else seen.etag
        self.ttl_seconds = ttl_seconds
        self.tags = tags
        self.is_kept = True

    def lifetime(self) -> float:
        """The seconds the loader left.

        Raises:
            ValueError: They are no number above 0.
        """
        return checked_ttl(self.ttl_seconds)

    def names(self) -> tuple[str, ...]:
        """The tags the loader left, each once.

        Raises:
            TypeError: They are one text, or one is no text.
            ValueError: One is empty or too long.
        """
        return checked_tags(self.tags)


async def call(loader: Loader, context: LoadContext) -> Any:
    """The loader's answer."""
    answer = loader(context) if takes_context(loader) else loader()
    return await answer if inspect.isawaitable(answer) else answer


def takes_context(loader: Loader) -> bool:
    """Whether it has a positional parameter without a default."""
    function = getattr(loader, "__func__", loader)
    code = getattr(function, "__code__", None)
    if code is None or hasattr(loader, "__wrapped__"):
        return _asks_for_one(loader)
    is_bound = function is not loader
    return bool(code.co_argcount - is_bound > len(function.__defaults__ or ()))


def _asks_for_one(loader: Loader) -> bool:
    try:
        parameters = inspect.signature(loader).parameters.values()
    except ValueError:  # written in C, without a signature
        return False
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return any(each.kind in positional and each.default is each.empty for each in parameters)
