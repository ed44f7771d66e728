"""Connections of a pool are tested when that can tell something new."""

import select
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

#: A connection that was given back so short a time ago, and on which nothing came in since, not
#: even its end, is not asked whether it lives: that would double the time of a short statement.
_FRESH_SECONDS = 1.0


def spare_pings(engine: Engine, socket_of: Callable[[Any], int]) -> None:
    """Leave out the tests of an engine's pool that its connections do not need.

    Args:
        engine: One whose pool tests connections on taking them out.
        socket_of: The file number of a driver's connection, -1 when it is closed.
    """
    given_back: dict[int, float] = {}
    ping = engine.dialect.do_ping

    def do_ping(adapted: Any) -> bool:
        at = given_back.get(id(adapted), 0.0)
        is_fresh = time.monotonic() - at < _FRESH_SECONDS
        if is_fresh and _is_quiet(socket_of(adapted.driver_connection)):
            return True
        return ping(adapted)

    def on_checkin(adapted: Any, _record: Any) -> None:
        if adapted is not None:
            given_back[id(adapted)] = time.monotonic()

    def on_close(adapted: Any, _record: Any) -> None:
        given_back.pop(id(adapted), None)

    engine.dialect.do_ping = do_ping  # type: ignore[assignment] # the pool asks the dialect
    event.listen(engine.pool, "checkin", on_checkin)
    event.listen(engine.pool, "close", on_close)


def _is_quiet(number: int) -> bool:
    """Whether nothing came in on an open line; False where the system cannot say it at once."""
    if number < 0 or not hasattr(select, "poll"):
        return False
    line = select.poll()
    line.register(number, select.POLLIN | select.POLLHUP | select.POLLERR)
    return not line.poll(0)
