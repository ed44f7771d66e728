"""The service against a simple model of it, whatever is done in whatever order."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from infrastructure.cache import CacheEntryOptions, CacheService
from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.waiting import Timing
from infrastructure.errors import ConflictError
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.cache.node import Node

KEYS = st.sampled_from(["a", "b", "a*", "\u00fc:1"])
VALUES = st.sampled_from([0, 7, None, "text", [1], (1, "x"), {"k": [2]}])
SECONDS = st.integers(1, 20)
TAGS = st.sampled_from([(), ("red",), ("red", "blue")])
SAFE_SECONDS = 15


class Kept:
    """One entry of the model."""

    def __init__(self, value: Any, until: float, kept_until: float, tags: tuple[str, ...]) -> None:
        self.value = value
        self.until = until
        self.kept_until = kept_until
        self.tags = tags


class CacheMachine(RuleBasedStateMachine):
    """Every answer is that of a dictionary with lifetimes."""

    @initialize(is_shared=st.booleans())
    def begin(self, is_shared: bool) -> None:
        self.clock = ManualClock()
        storage = InMemoryCacheProvider(MemoryCacheSettings(), clock=self.clock.now)
        provider = Node(storage) if is_shared else storage
        timing = Timing(self.clock, self.clock.now, lambda: 0.0)
        self.cache = CacheService("shop", provider=provider, timing=timing)
        self.other = CacheService("shop2", provider=provider, timing=timing)
        self.model: dict[str, Kept] = {}
        self.loop = asyncio.new_event_loop()
        self.do(self.other.set("a", "theirs", 1e6))

    def do(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(call)

    def fresh(self, key: str) -> Kept | None:
        kept = self.model.get(key)
        return kept if kept is not None and kept.until > self.clock.now() else None

    def keep(self, key: str, value: Any, seconds: float, options: CacheEntryOptions) -> None:
        until = self.clock.now() + seconds
        self.model[key] = Kept(value, until, until + options.fail_safe_seconds, options.tags)

    @rule(key=KEYS, value=VALUES, seconds=SECONDS, tags=TAGS, safe=st.sampled_from([0, 15]))
    def set(self, key: str, value: Any, seconds: int, tags: tuple[str, ...], safe: int) -> None:
        options = CacheEntryOptions(tags=tags, fail_safe_seconds=safe)
        self.do(self.cache.set(key, value, seconds, options=options))
        self.keep(key, value, seconds, options)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        kept = self.fresh(key)
        found = self.do(self.cache.get(key, MISSING))
        assert found == (MISSING if kept is None else kept.value)
        if isinstance(found, list):
            found.append("changed by the caller")

    @rule()
    def get_many(self) -> None:
        keys = ["a", "b", "a*", "a"]
        wanted = [MISSING if (kept := self.fresh(key)) is None else kept.value for key in keys]
        assert self.do(self.cache.get_many(keys, MISSING)) == wanted

    @rule(key=KEYS)
    def ttl(self, key: str) -> None:
        kept = self.fresh(key)
        left = self.do(self.cache.ttl(key))
        assert (left is None) == (kept is None)
        assert kept is None or abs(left - (kept.until - self.clock.now())) < 1e-6
        assert self.do(self.cache.exists(key)) == (kept is not None)

    @rule(key=KEYS, seconds=SECONDS)
    def expire(self, key: str, seconds: int) -> None:
        kept = self.fresh(key)
        assert self.do(self.cache.expire(key, seconds)) == (kept is not None)
        if kept is not None:
            safe = kept.kept_until - kept.until
            kept.until = self.clock.now() + seconds
            kept.kept_until = kept.until + safe

    @rule(key=KEYS, amount=st.integers(-3, 3))
    def incr(self, key: str, amount: int) -> None:
        kept = self.fresh(key)
        try:
            total = self.do(self.cache.incr(key, amount, 9))
        except ConflictError:
            assert kept is not None
            assert type(kept.value) is not int or kept.tags or kept.kept_until > kept.until
            return
        if kept is None:
            assert total == amount
            self.keep(key, amount, 9, CacheEntryOptions())
        else:
            kept.value += amount
            assert total == kept.value

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        kept = self.fresh(key)
        was_there = self.do(self.cache.delete(key))
        assert was_there or kept is None
        self.model.pop(key, None)

    @rule(tag=st.sampled_from(["red", "blue"]))
    def remove_by_tag(self, tag: str) -> None:
        self.do(self.cache.remove_by_tag(tag))
        for key in [key for key, kept in self.model.items() if tag in kept.tags]:
            self.model[key].until = self.model[key].kept_until = -1

    @rule()
    def clear(self) -> None:
        self.do(self.cache.clear())
        self.model.clear()

    @rule(seconds=st.integers(1, 12))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(key=KEYS, value=VALUES, seconds=SECONDS)
    def get_or_set(self, key: str, value: Any, seconds: int) -> None:
        kept = self.fresh(key)
        answer = self.do(self.cache.get_or_set(key, lambda: value, seconds))
        assert answer == (value if kept is None else kept.value)
        if kept is None:
            self.keep(key, value, seconds, CacheEntryOptions())

    @rule(key=KEYS)
    def load_in_vain(self, key: str) -> None:
        """A failing loader: the fresh value, the stale one, or its error; never a removed one."""

        def fail() -> Any:
            raise OSError("down")

        safe = CacheEntryOptions(fail_safe_seconds=SAFE_SECONDS, fail_safe_throttle_seconds=2)
        kept, now = self.model.get(key), self.clock.now()
        try:
            answer = self.do(self.cache.get_or_set(key, fail, options=safe))
        except OSError:
            assert kept is None or kept.kept_until <= now
            return
        assert kept is not None
        assert (answer, kept.kept_until > now) == (kept.value, True)
        if kept.until <= now:
            kept.until = min(now + 2, kept.kept_until)

    @rule()
    def the_other_namespace_is_as_it_was(self) -> None:
        assert self.do(self.other.get("a")) == "theirs"

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.do(self.cache.disconnect())
            self.loop.close()


CacheMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestCache = CacheMachine.TestCase
