"""The memory cache against a model of it, and its bounds."""

import sys
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.cache import CacheEntryOptions, CacheService
from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings

_KEYS = st.sampled_from(["a", "b", "c", "d", "e", "\u00fc"])
_VALUES = st.sampled_from(
    [
        1,
        None,
        "x" * 400,
        b"y" * 900,
        ["z" * 300],
        ("t" * 700, 1),
        ("u" * 50, ("v" * 500,)),
        "w" * 5000,
    ]
)
_STEPS = st.one_of(
    st.tuples(st.just("set"), _KEYS, _VALUES, st.integers(1, 9)),
    st.tuples(st.just("add"), _KEYS, _VALUES, st.integers(1, 9)),
    st.tuples(st.just("get"), _KEYS, st.none(), st.just(0)),
    st.tuples(st.just("delete"), _KEYS, st.none(), st.just(0)),
    st.tuples(st.just("expire"), _KEYS, st.none(), st.integers(1, 9)),
    st.tuples(st.just("pass"), st.just(""), st.none(), st.integers(1, 4)),
)
_MAX_ENTRIES, _MAX_BYTES = 4, 3000


class Model:
    """What should be there: the least recently used first."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept: OrderedDict[str, tuple[float, Any, int]] = OrderedDict()

    def do(self, step: str, key: str, value: Any, seconds: int) -> Any:
        live = key in self.kept and self.kept[key][0] > self.now
        match step:
            case "pass":
                self.now += seconds
            case "set":
                self._put(key, value, seconds)
            case "add" if not live:
                self._put(key, value, seconds)
            case "get" if live:
                self.kept.move_to_end(key)
                return self.kept[key][1]
            case "get":
                return MISSING
            case "delete":
                self.kept.pop(key, None)
            case "expire" if live:
                self.kept[key] = (self.now + seconds, *self.kept[key][1:])
                self.kept.move_to_end(key)
                self._drop_expired()
        return live

    def _put(self, key: str, value: Any, seconds: int) -> None:
        self.kept[key] = (self.now + seconds, value, sizes(value))
        self.kept.move_to_end(key)
        self._drop_expired()
        if self.kept[key][2] + len(key) + 250 > _MAX_BYTES:
            del self.kept[key]
        while len(self.kept) > _MAX_ENTRIES or self.bytes > _MAX_BYTES:
            self.kept.popitem(last=False)

    def _drop_expired(self) -> None:
        for each in [key for key, (end, _, _) in self.kept.items() if end <= self.now]:
            del self.kept[each]

    @property
    def bytes(self) -> int:
        return sum(size + len(key) + 250 for key, (_, _, size) in self.kept.items())


def sizes(value: Any) -> int:
    """What a value takes with all that it holds; of a list, its encoded form is measured."""
    if isinstance(value, list):
        found = InMemoryCacheProvider(MemoryCacheSettings())
        found.set_now("", value, 1)
        return found.bytes - 250
    inner = sum(map(sizes, value)) if isinstance(value, tuple) else 0
    return sys.getsizeof(value) + inner


@settings(max_examples=150)
@given(st.lists(_STEPS, max_size=40))
def test_it_keeps_what_a_simple_model_keeps(steps: list[tuple[str, str, Any, int]]) -> None:
    model = Model()
    block = MemoryCacheSettings(max_entries=_MAX_ENTRIES, max_bytes=_MAX_BYTES)
    cache = InMemoryCacheProvider(block, clock=lambda: model.now)
    for step in steps:
        wanted = model.do(*step)
        if step[0] == "get":
            assert cache.get_now(step[1]) == wanted
        else:
            _do(cache, *step)
        assert list(cache._entries) == list(model.kept)
        assert cache.bytes == model.bytes <= _MAX_BYTES


def _do(cache: InMemoryCacheProvider, step: str, key: str, value: Any, seconds: int) -> None:
    match step:
        case "set":
            cache.set_now(key, value, seconds)
        case "add":
            cache.add_now(key, value, seconds)
        case "delete":
            cache.delete_now(key)
        case "expire":
            _expire(cache, key, seconds)


def _expire(cache: InMemoryCacheProvider, key: str, seconds: int) -> None:
    """Run it without an event loop: it waits for nothing."""
    with suppress(StopIteration):
        cache.expire(key, seconds).send(None)


async def test_entries_with_options_count_with_all_they_hold() -> None:
    provider = InMemoryCacheProvider(MemoryCacheSettings(max_bytes=1_000_000))
    cache = CacheService("shop", provider=provider)
    options = CacheEntryOptions(fail_safe_seconds=60)
    for number in range(50):
        await cache.set(str(number), "x" * 100_000, options=options)
    assert len(provider) < 10


def test_threads_that_read_disturb_none_that_write() -> None:
    provider = InMemoryCacheProvider(MemoryCacheSettings(max_entries=200))
    wrong: list[Exception] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            for number in range(200):
                provider.get_now(str(number))

    def write() -> None:
        try:
            for number in range(6000):
                provider.set_now(str(number % 220), number, 9000 - number)
        except RuntimeError as error:
            wrong.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        readers = [threading.Thread(target=read) for _ in range(2)]
        writers = [threading.Thread(target=write) for _ in range(2)]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
    finally:
        is_over.set()
        sys.setswitchinterval(interval)
    assert wrong == []
    assert len(provider) <= 200


def test_of_more_rights_to_fill_than_fit_the_oldest_ends() -> None:
    provider = InMemoryCacheProvider(MemoryCacheSettings(max_entries=2))
    first, second, third = (provider.lease_now(key, 60) for key in "abc")
    assert not provider.fill_now("a", 1, 60, first)
    assert provider.fill_now("b", 1, 60, second)
    assert provider.fill_now("c", 1, 60, third)
