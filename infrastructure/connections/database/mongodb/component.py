"""What every call to MongoDB stands on: a client that is opened, counted, and let go of."""

import asyncio
from collections.abc import Coroutine
from importlib import import_module
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionState,
    PoolStats,
)
from infrastructure.connections.database.mongodb.calls import (
    LEAST_SECONDS,
    Piece,
    Reading,
    Writing,
)
from infrastructure.connections.database.mongodb.errors import translated_error
from infrastructure.connections.database.mongodb.listeners import (
    FirstChecks,
    PoolCounter,
    first_answer,
)
from infrastructure.connections.database.mongodb.settings import MongodbSettings
from infrastructure.connections.database.mongodb.values import VALUES
from infrastructure.errors import (
    ConfigurationError,
    InfrastructureError,
    MissingExtraError,
    UnavailableError,
)
from infrastructure.health import Health, Status

_SHARE_FOR_GOODBYE = 0.5
#: Names of collections are few, unless an application makes one for each of its users.
_MOST_COLLECTIONS = 1_000


class MongodbComponent(AsyncBaseConnectionManager):
    """The driver's client, one for each event loop it is opened in.

    Attributes:
        times_closed: How often it was disconnected, for what goes on over many calls.
    """

    settings: MongodbSettings

    def __init__(self, settings: MongodbSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._client: Any = None
        self._pool: PoolCounter | None = None
        self._collections: dict[str, Any] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self.times_closed = 0

    @property
    def client(self) -> Any:
        """The driver's client, for what is not covered here; it raises the driver's errors.

        Raises:
            UnavailableError: Not connected.
        """
        if self._client is None:
            raise UnavailableError("not connected", where=self.name, hint="Await connect() first.")
        return self._client

    @property
    def open_client(self) -> Any:
        """As `client`; None when not connected."""
        return self._client

    def reading(self, client: Any = None) -> Reading:
        """Around a whole call that changes nothing, or goes on with a cursor of `client`."""
        return Reading(self, client)

    def writing(self) -> Writing:
        """Around a whole call that changes something."""
        return Writing(self)

    def collection(self, name: str) -> Any:
        """The driver's collection, for what is not covered here; it raises the driver's errors.

        It writes the same values as our own calls, and reads the driver's, such as ObjectId.

        Raises:
            UnavailableError: Not connected.
        """
        found = self._collections.get(name)
        if found is None:
            if len(self._collections) >= _MOST_COLLECTIONS:
                self._collections.clear()
            database = self.client.get_database(self.settings.database, codec_options=VALUES)
            found = self._collections[name] = database[name]
        return found

    def is_standalone(self) -> bool:
        """Whether there is one server alone: no member of a replica set, and no router."""
        servers = self.client.topology_description.server_descriptions().values()
        return any(server.server_type_name == "Standalone" for server in servers)

    def pool_stats(self) -> PoolStats:
        """How many connections there are, over all servers; zeros when not connected."""
        return PoolStats(0, 0, 0) if self._pool is None else self._pool.stats()

    def translated(self, error: Exception) -> InfrastructureError | None:
        """Our error for one of the driver's; None when it is not its."""
        return translated_error(
            error,
            where=self.name,
            place=self.settings.place(),
            seconds=self.settings.timeout_seconds,
        )

    def note_failure(self, error: InfrastructureError) -> None:
        """Remember what a failed call says about the connection."""
        super().note_failure(error)
        if isinstance(error, UnavailableError):
            self._start_anew_if_alone()

    async def health_check(self) -> Health:
        """Open if needed and try one real operation, within `connect_timeout_seconds`."""
        health = await super().health_check()
        if health.status is Status.DOWN:
            self._start_anew_if_alone()
        return health

    def _start_anew_if_alone(self) -> None:
        """Where no server is left, let the next call open anew, which may fail at once.

        The driver would let each call wait to its end, and look again twice a second.
        """
        if self._client is not None and _has_no_server(self._client):
            self._loop = None
            self._closed_as = ConnectionState.UNAVAILABLE
            self._let_go(self._forgotten())

    async def disconnect(self) -> None:
        """Let the calls in flight end and close; harmless when never opened or closed already."""
        self.times_closed += 1
        await super().disconnect()
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in self._leaving if task.get_loop() is loop))

    def _after_fork(self) -> None:
        """Be closed, in a forked child, and leave the client to its parent."""
        super()._after_fork()
        self._forgotten()

    async def _open(self) -> None:
        driver = self._driver()
        if (abandoned := self._forgotten()) is not None:  # its event loop is gone
            await driver.abandon_client(abandoned)
        checks, pool = FirstChecks(), PoolCounter(self.settings.max_connections)
        try:
            client = driver.make_client(event_listeners=[pool, checks], **self.settings.options())
        except (PyMongoError, OSError, ValueError):  # its text may quote the password
            raise ConfigurationError(
                "the driver cannot read `url` or `tls_ca_file`", where=self.name
            ) from None
        async with Piece(self):
            ping = asyncio.ensure_future(client.admin.command("ping"))
            try:
                await first_answer(ping, client, checks)
            except BaseException:
                self._let_go(client, ping)
                raise
        self._client, self._pool = client, pool

    async def _close(self) -> None:
        client = self._forgotten()
        if client is not None:
            await self._leave(client)

    def _forgotten(self) -> Any:
        """The client, which is this manager's no more."""
        client, self._client, self._pool = self._client, None, None
        self._collections = {}
        return client

    def _let_go(self, client: Any, *calls: "asyncio.Future[Any]") -> None:
        self.left_behind(self._leave(client, *calls))

    def left_behind(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do it whatever becomes of the caller, in a time of its own; `disconnect` waits for it."""
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def _leave(self, client: Any, *calls: "asyncio.Future[Any]") -> None:
        """Close it after the calls, which are given a moment to end by themselves."""
        seconds = _SHARE_FOR_GOODBYE * self.settings.connect_timeout_seconds
        if calls:
            await asyncio.wait(calls, timeout=seconds)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        with pymongo.timeout(LEAST_SECONDS if _has_no_server(client) else seconds):
            await self._driver().close_client(client)

    async def _ping(self) -> str:
        async with Piece(self):
            await self.client.admin.command("ping")
        return f"MongoDB at {self.settings.place()} answered a ping"

    def _driver(self) -> Any:
        name = self.settings.driver
        try:
            return import_module(f"infrastructure.connections.database.mongodb.{name}")
        except ModuleNotFoundError as error:
            raise MissingExtraError(name, error.name or name, where=self.name) from error


def _has_no_server(client: Any) -> bool:
    """Whether none is known now, so that there is nobody to ask or to say goodbye to."""
    servers = client.topology_description.server_descriptions().values()
    return all(server.server_type_name == "Unknown" for server in servers)
