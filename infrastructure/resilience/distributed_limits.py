"""A rate limit that many processes share, kept in Redis by the library `limits`."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from typing import Any, Never, TypeVar
from urllib.parse import quote

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from infrastructure.errors import (
    ConfigurationError,
    InfrastructureError,
    OverloadedError,
    UnsupportedError,
    did_you_mean,
)
from infrastructure.observability.metrics import COMPONENT, Measurement, counter
from infrastructure.resilience.bounds import checked_count, checked_number, checked_seconds
from infrastructure.resilience.breaker import BreakerOptions, CircuitBreaker
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.deadlines import deadline
from infrastructure.resilience.rate_limiter import RateLimiter
from infrastructure.resilience.storage import Executes
from infrastructure.resilience.strategy import Link, LinkedStrategy, Place

T = TypeVar("T")

_METRIC = "switchgear.resilience.distributed_limit"
_LONGEST_NAME = 200
_LOCAL_BUCKETS = 1_000
#: The storage's word on when to come again is an estimate, and may be zero.
_SHORTEST_WAIT_SECONDS = 0.01


class OnStorageError(StrEnum):
    """What holds while Redis does not answer."""

    FAIL_OPEN = "fail_open"
    """Each process has a bucket of its own for the whole rate."""
    FAIL_CLOSED = "fail_closed"
    """Everything is refused."""


class DistributedRateLimiter(LinkedStrategy):
    """At most `rate` calls in any window of `per_seconds`, counted by all processes together.

    The window slides: the count of the window before fades out while the present one fills. A
    breaker keeps a Redis that is down from costing every call its timeout. There is no sync twin.

    Args:
        connection: Where the counts are kept.
        rate: How many calls, a whole number.
        per_seconds: In how many seconds, a whole number.
        name: What is limited, such as `llm.default.rate_limiter`; limits of one name, rate and
            time are one limit.
        namespace: What all keys begin with.
        wait_seconds: The longest wait to be let in; 0 refuses at once.
        on_storage_error: Let pass by a bucket of this process, or refuse.
        timeout_seconds: How long one question to Redis may take.
        clock: Waiting, local buckets and the breaker.

    Raises:
        ConfigurationError: A number is out of its range, or there is no name.
    """

    place = Place.RATE_LIMIT

    def __init__(
        self,
        connection: Executes,
        rate: int,
        per_seconds: int = 1,
        *,
        name: str,
        namespace: str = "switchgear",
        wait_seconds: float = 0.0,
        on_storage_error: OnStorageError | str = OnStorageError.FAIL_OPEN,
        timeout_seconds: float = 0.25,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not name:
            raise ConfigurationError("a limit that is shared needs a name to be shared by")
        self.name = name
        self._item = RateLimitItemPerSecond(
            checked_count(rate, "rate", name), checked_count(per_seconds, "per_seconds", name)
        )
        self._wait_seconds = checked_number(wait_seconds, "wait_seconds", name)
        self._timeout_seconds = checked_seconds(timeout_seconds, "timeout_seconds", name)
        self._on_storage_error = _policy(on_storage_error, name)
        self._clock = clock
        self._limits = SlidingWindowCounterRateLimiter(_Storage(connection, namespace))
        self._breaker = _breaker_of_storage(name, timeout_seconds, clock)
        self._local: OrderedDict[str, RateLimiter] = OrderedDict()
        self._admitted = self._refused = self._storage_errors = 0

    def __repr__(self) -> str:
        return f"<DistributedRateLimiter {self.name}: {self._item}>"

    def around(self, inner: Link) -> Link:
        """Await the link when it is let in.

        Raises:
            OverloadedError: It is not.
        """

        async def limited(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            await self.acquire()
            return await inner(call, args, kwargs)

        return limited

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Never:  # noqa: ARG002 - the port's
        """Not offered: it would need a second, blocking connection.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError(
            "a distributed limit guards coroutine functions only",
            where=self.name,
            hint="Use RateLimiter, which is local.",
        )

    async def acquire(self, who: str = "") -> None:
        """Be let in, waiting when allowed.

        Args:
            who: A user, tenant or key with a limit of its own; any text.

        Raises:
            OverloadedError: Too many calls; or Redis does not answer, and the limit is
                `fail_closed`.
        """
        until = self._clock.now() + self._wait_seconds
        key = (_readable(self.name), _readable(who))
        while True:
            try:
                seconds = await self._breaker.run(self._ask, key)
            except ConfigurationError:
                raise
            except InfrastructureError as error:
                await self._without_storage(key[1], error)
                return
            if not seconds:
                self._admitted += 1
                return
            if self._clock.now() + seconds > until:
                self._refuse(seconds)
            await self._clock.sleep(seconds)

    def measurements(self) -> Iterator[Measurement]:
        """How many were let in and turned away, and how often Redis did not answer."""
        labels = {COMPONENT: self.name}
        yield counter(f"{_METRIC}.admitted", self._admitted, labels, unit="{call}")
        yield counter(f"{_METRIC}.refused", self._refused, labels, unit="{call}")
        yield counter(f"{_METRIC}.storage_errors", self._storage_errors, labels, unit="{call}")
        yield from self._breaker.measurements()

    async def _ask(self, key: tuple[str, str]) -> float:
        """Count the call, which gives 0; or how long until one may be let in."""
        async with deadline(self._timeout_seconds, self.name):
            if await self._limits.hit(self._item, *key):
                return 0.0
            stats = await self._limits.get_window_stats(self._item, *key)
        return max(stats.reset_time - time.time(), _SHORTEST_WAIT_SECONDS)

    async def _without_storage(self, who: str, error: InfrastructureError) -> None:
        self._storage_errors += 1
        if self._on_storage_error is OnStorageError.FAIL_OPEN:
            await self._acquire_locally(who)
            return
        self._refused += 1
        raise OverloadedError(
            "whether the limit is reached is not known, for its storage does not answer",
            where=self.name,
            hint="Is Redis running? With on_storage_error: fail_open, local limits would hold.",
            retry_after_seconds=getattr(error, "retry_after_seconds", None),
        ) from error

    async def _acquire_locally(self, who: str) -> None:
        try:
            await self._local_bucket(who).acquire()
        except OverloadedError:
            self._refused += 1
            raise
        self._admitted += 1

    def _local_bucket(self, who: str) -> RateLimiter:
        """The bucket of this process; the one unused for longest goes when there are too many."""
        bucket = self._local.get(who)
        if bucket is None:
            bucket = self._local[who] = RateLimiter(
                self._item.amount,
                self._item.get_expiry(),
                wait_seconds=self._wait_seconds,
                name=self.name,
                clock=self._clock,
            )
        self._local.move_to_end(who)
        if len(self._local) > _LOCAL_BUCKETS:
            self._local.popitem(last=False)
        return bucket

    def _refuse(self, seconds: float) -> Never:
        self._refused += 1
        raise OverloadedError(
            f"more than {self._item.amount} in {self._item.get_expiry()} s, by all processes",
            where=self.name,
            hint=f"Try again in {seconds:.3g} s.",
            retry_after_seconds=seconds,
        )


def _policy(word: str, name: str) -> OnStorageError:
    try:
        return OnStorageError(word)
    except ValueError:
        raise ConfigurationError(
            f"on_storage_error is '{word}'",
            where=name,
            hint=f"{did_you_mean(word, OnStorageError)}Known: {', '.join(OnStorageError)}.",
        ) from None


def _breaker_of_storage(name: str, timeout_seconds: float, clock: Clock) -> CircuitBreaker:
    options = BreakerOptions(
        window_calls=10,
        minimum_calls=3,
        open_seconds=1.0,
        max_open_seconds=15.0,
        probe_seconds=2 * timeout_seconds,
        counts_overload=True,
    )
    return CircuitBreaker(options, name=f"{name}.storage", clock=clock)


def _readable(text: str) -> str:
    """The text as part of a key: without separators and braces, and of bounded length."""
    quoted = quote(text, safe="", errors="surrogatepass")
    if len(quoted) <= _LONGEST_NAME:
        return quoted
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


class _Storage(RedisStorage):
    """The library's storage and scripts on a connection of ours instead of a client of its own."""

    STORAGE_SCHEME: list[str] = []  # noqa: RUF012 - the library's; none, so that it is not found by URL

    def __init__(self, connection: Executes, namespace: str) -> None:
        self._scripts = _Scripts(connection)
        super().__init__("async+redis://", implementation="redispy", key_prefix=namespace)

    def configure_bridge(self) -> None:
        """Called by the library where it would make its client."""
        self.bridge.connection_getter = lambda _: self._scripts  # type: ignore[attr-defined]  # the bridge's own, by its implementation


class _Scripts:
    """What the library asks of a client."""

    def __init__(self, connection: Executes) -> None:
        self._connection = connection

    def register_script(self, script: str) -> Callable[[list[str], list[Any]], Awaitable[Any]]:
        """A script to be run by keys and arguments.

        It is sent whole each time: a server that forgot it, after a failover or a restart, then
        costs no second question.
        """

        async def run(keys: list[str], arguments: list[Any]) -> Any:
            return await self._connection.execute("EVAL", script, len(keys), *keys, *arguments)

        return run
