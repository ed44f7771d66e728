"""What a namespace, a key and a lifetime may be."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_.-]+")
_NUMBERS: Final = frozenset({int, float})
MAX_KEY_CHARS: Final = 1024
MAX_TAG_CHARS: Final = 256
MAX_TTL_SECONDS: Final = 100 * 365 * 86400.0


def checked_namespace(namespace: str) -> str:
    """The namespace.

    Raises:
        ValueError: It holds something other than letters, digits, `_`, `.` and `-`.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(
            f"namespace {namespace!r} is not made of letters, digits, '_', '.' and '-'"
        )
    return namespace


def checked_key(key: str) -> str:
    """The key; every character is data.

    Raises:
        TypeError: It is no str.
        ValueError: It is empty, longer than 1024 characters, or not text any server could take.
    """
    if not isinstance(key, str):
        raise TypeError(f"a cache key is a str, not a '{type(key).__name__}'")
    if not 0 < len(key) <= MAX_KEY_CHARS:
        raise ValueError(f"a cache key has 1 to {MAX_KEY_CHARS} characters, not {len(key)}")
    if not key.isascii():
        _encoded(key, "a cache key")
    return key


def checked_keys(keys: Sequence[str]) -> Sequence[str]:
    """The keys, each as `checked_key` would have it; the usual ones are looked at together.

    Raises:
        TypeError: They are one text, or one is no text.
        ValueError: One is no key.
    """
    if isinstance(keys, str):
        raise TypeError(f"keys are several texts, such as ({keys!r:.80},), and not one")
    try:
        lengths = {*map(len, keys)}
        longest = max(lengths, default=1)
        if longest <= MAX_KEY_CHARS and 0 not in lengths and "".join(keys).isascii():
            return keys
    except TypeError:
        pass  # what is no str is named below
    for key in keys:
        checked_key(key)
    return keys


def checked_tags(tags: Any) -> tuple[str, ...]:
    """The tags, each once.

    Raises:
        TypeError: They are one text, or one is no text.
        ValueError: One is empty or longer than 256 characters.
    """
    if isinstance(tags, str):
        raise TypeError(f"tags are several names, such as ({tags!r:.80},), and not one text")
    for tag in tags:
        if not isinstance(tag, str):
            raise TypeError(f"a tag is a str, not a '{type(tag).__name__}'")
        if not 0 < len(tag) <= MAX_TAG_CHARS:
            raise ValueError(f"a tag has 1 to {MAX_TAG_CHARS} characters, not {len(tag)}")
        _encoded(tag, "a tag")
    return tuple(dict.fromkeys(tags))


def checked_ttl(seconds: float) -> float:
    """The lifetime, at most a hundred years.

    Raises:
        ValueError: It is not a number above 0.
    """
    if type(seconds) in _NUMBERS and 0 < seconds <= MAX_TTL_SECONDS:
        return seconds
    if isinstance(seconds, bool) or not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"a lifetime is a number of seconds above 0, not {seconds!r}")
    return min(seconds, MAX_TTL_SECONDS)


def _encoded(text: str, what: str) -> bytes:
    """As a server would get it, which a lone surrogate cannot be."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        place = f"character {error.start}: {error.reason}"
        raise ValueError(f"{what} must be UTF-8 text, not {text!a:.80} ({place})") from None
