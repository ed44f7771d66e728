"""The client of Motor, for applications that have it already; its life has ended in May 2026."""

import asyncio
from functools import cache
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from infrastructure.observability.logging import get_logger

_log = get_logger(__name__)


def make_client(**options: Any) -> Any:
    """A client of the running event loop, whose calls run in Motor's threads."""
    _say_that_it_is_over()
    return AsyncIOMotorClient(connect=False, io_loop=asyncio.get_running_loop(), **options)


async def close_client(client: Any) -> None:
    """Say goodbye and end its connections; in a thread, since Motor waits for the network.

    What its own threads are waiting for, they close within half a second.
    """
    await asyncio.to_thread(client.delegate.close)


#: Its threads go on without the event loop, so that they have to be ended.
abandon_client = close_client


@cache
def _say_that_it_is_over() -> None:
    _log.warning("motor is past its end of life (2026-05-14)", hint="Take `driver: pymongo`.")
