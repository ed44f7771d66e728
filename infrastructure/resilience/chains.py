"""Strategies in a row, each handed the next one's `run` to call."""

from functools import partial
from typing import Any

from infrastructure.resilience.strategy import Strategy


def innermost(call: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """What is called in the end, and with what: `retry.run, (breaker.run, get, "x")` calls get."""
    while True:
        if isinstance(call, partial):
            call, args = call.func, (*call.args, *args)
        elif args and isinstance(getattr(call, "__self__", None), Strategy):
            call, args = args[0], args[1:]
        else:
            return call, args
