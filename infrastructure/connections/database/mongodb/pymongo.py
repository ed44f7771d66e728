"""The client of PyMongo's asyncio API, which the kind takes by default."""

import asyncio
import socket
import traceback
from typing import Any

from pymongo import AsyncMongoClient, pool_shared


def make_client(**options: Any) -> AsyncMongoClient[dict[str, Any]]:
    """A client of the running event loop; it opens nothing yet."""
    return AsyncMongoClient(connect=False, **options)


async def close_client(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """Say goodbye and end its connections and its watchers of the servers."""
    await client.close()


async def abandon_client(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """Nothing is left to do: its connections and its watchers went with their event loop."""


#: The driver has no public place for how it connects; without this a cancelled call leaves its
#: socket to the garbage collector, which the tests of cancelling see as a ResourceWarning.
_connect = pool_shared._async_create_connection  # noqa: SLF001 - there is no other way in


async def _connect_or_close(address: Any, options: Any) -> socket.socket:
    """As the driver does it; it forgets the socket of a connection that is cancelled halfway."""
    try:
        return await _connect(address, options)
    except asyncio.CancelledError as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if isinstance(found := frame.f_locals.get("sock"), socket.socket):
                found.close()
        raise


pool_shared._async_create_connection = _connect_or_close  # noqa: SLF001 - as above
