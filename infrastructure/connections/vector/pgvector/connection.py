"""Connections that know pgvector: its types as bytes, its scans set, and a pool to borrow from."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal, Self, TypeVar

import asyncpg
from pydantic import Field, model_validator
from sqlalchemy.util import greenlet_spawn

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.database.postgres import PostgresConnectionManager
from infrastructure.connections.database.postgres.asyncpg_driver import AsyncpgDriver
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.vector.pgvector.codecs import sparse_of, vector_of
from infrastructure.connections.vector.pgvector.tables import Index
from infrastructure.errors import ConfigurationError, UnavailableError

T = TypeVar("T")

#: The first version whose scans go on until a filter has let enough rows pass.
_MIN_VERSION = (0, 8)
#: "Switchgear vectors": whoever makes something that others may be making too holds this lock.
LOCK = 0x5357_5645_4354
#: What the driver raises: the server's refusals, and what went wrong with a connection.
_DRIVERS = (
    *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    ConnectionError,
)
#: How the states begin of what a server says that is going away.
_ENDING = ("08", "57P")
_PREPARE = """
SELECT n.nspname AS schema, e.extversion AS version,
    (SELECT oid FROM pg_type WHERE typname = 'vector' AND typnamespace = n.oid) AS vector,
    (SELECT oid FROM pg_type WHERE typname = 'sparsevec' AND typnamespace = n.oid) AS sparsevec,
    set_config('hnsw.iterative_scan', 'strict_order', false),
    set_config('hnsw.ef_search', $1, false),
    set_config('ivfflat.iterative_scan', 'relaxed_order', false),
    set_config('ivfflat.probes', $2, false)
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
"""


class PgvectorSettings(VectorSettings, PostgresSettings):
    """A PostgreSQL database with the extension pgvector, 0.8 or later."""

    kind: str = "pgvector"
    driver: Literal["asyncpg"] = "asyncpg"
    pgbouncer: Literal[False] = Field(
        default=False, description="No: how an index is scanned is set once a session."
    )
    pre_ping: bool = Field(
        default=False,
        description="Test a connection on taking it; vector calls replace a dead one without.",
    )
    schema_name: str = Field(
        default="switchgear_vectors",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        max_length=63,
        description="Where the tables are; made with the first collection.",
    )
    index: Index = Field(
        default="hnsw",
        description="Of the vectors of collections made here; `none` looks at every one.",
    )
    hnsw_m: int = Field(default=16, ge=2, le=100, description="Links of a vector in the graph.")
    hnsw_ef_construction: int = Field(
        default=64, ge=4, le=1000, description="Candidates looked at to store a vector."
    )
    hnsw_ef_search: int = Field(
        default=40, ge=1, le=1000, description="Candidates a search begins with."
    )
    ivfflat_lists: int = Field(
        default=100, ge=1, le=32768, description="Lists; made of the rows there are at `reindex`."
    )
    ivfflat_probes: int = Field(
        default=10, ge=1, le=32768, description="Lists a search begins with."
    )

    @model_validator(mode="after")
    def _can_build(self) -> Self:
        if self.hnsw_ef_construction < 2 * self.hnsw_m:
            msg = "hnsw_ef_construction is at least twice hnsw_m"
            raise ValueError(msg)
        return self

    def index_options(self) -> str:
        """What the index is made with."""
        return {
            "hnsw": f"m = {self.hnsw_m}, ef_construction = {self.hnsw_ef_construction}",
            "ivfflat": f"lists = {self.ivfflat_lists}",
            "none": "",
        }[self.index]


class VectorDriver(AsyncpgDriver):
    """Connections of asyncpg to a database with pgvector, which they create if they may.

    Attributes:
        schema: The schema that pgvector is installed in; known once connected.
        version: The version of pgvector; known once connected.
    """

    schema = ""
    version = ""

    async def connect(self, settings: PostgresSettings) -> Any:
        """A new connection, ready for vectors."""
        connection = await super().connect(settings)
        try:
            assert isinstance(settings, PgvectorSettings)  # noqa: S101 - the kind's own
            await self._prepare(connection, settings)
        except BaseException as error:
            connection.terminate()
            if ours := self.translated(error, settings):
                raise ours from error
            raise
        return connection

    async def _prepare(self, connection: Any, settings: PgvectorSettings) -> None:
        asked = (_PREPARE, str(settings.hnsw_ef_search), str(settings.ivfflat_probes))
        found = await connection.fetchrow(*asked)
        if found is None:
            await self._create_extension(connection)
            found = await connection.fetchrow(*asked)
        self.schema, self.version = found["schema"], found["version"]
        if tuple(map(int, self.version.split(".")[:2])) < _MIN_VERSION:
            raise ConfigurationError(
                f"pgvector {self.version} is too old",
                where=self.where,
                hint="Install 0.8 or later and run: ALTER EXTENSION vector UPDATE",
            )
        # as `set_type_codec`, which would ask the server twice for each of what is known here
        codecs = connection._protocol.get_settings()  # noqa: SLF001 - there is no other way
        for name, decoder in (("vector", vector_of), ("sparsevec", sparse_of)):
            codecs.add_python_codec(
                *(found[name], name, self.schema, [], "scalar", bytes, decoder, "binary")
            )

    async def _create_extension(self, connection: Any) -> None:
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except asyncpg.InsufficientPrivilegeError as error:
            raise ConfigurationError(
                "the database has no extension 'vector', and this user may not create it",
                where=self.where,
                hint="Have its owner run: CREATE EXTENSION vector",
            ) from error
        except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
            raise ConfigurationError(
                "pgvector is not installed on the PostgreSQL server",
                where=self.where,
                hint="Install it there; its packages are called postgresql-<version>-pgvector.",
            ) from error


class VectorPool(PostgresConnectionManager):
    """The pool of the PostgreSQL manager, lent out as connections of the driver."""

    Settings: ClassVar[type[PgvectorSettings]] = PgvectorSettings
    settings: PgvectorSettings
    driver: VectorDriver

    def __init__(self, settings: PgvectorSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.driver = VectorDriver(self.name)

    async def _ping(self) -> str:
        return f"{await super()._ping()} with pgvector {self.driver.version}"

    async def _run(self, work: Callable[..., Awaitable[T]], *given: Any) -> T:
        """Do this on a connection, and once more on another where that one turns out to be dead.

        Whatever is done here may be done twice. A call that is given up ends its connection, for
        nobody waits for what goes on in it.

        Args:
            work: Called with the driver's connection.
            given: What it is called with besides.
        """
        for is_last in (False, True):
            pool: Any = self._opened(self._engine).pool
            entry = await _taken(pool)
            is_whole = False
            try:
                result = await work(entry.driver_connection, *given)
                is_whole = True
                return result  # noqa: TRY300 - only then is it whole
            except _DRIVERS as error:
                is_whole = await _survives(entry.driver_connection, error)
                if is_whole:
                    raise
                if is_last:
                    raise UnavailableError("the connection was lost", where=self.name) from error
            finally:
                await _given_back(pool, entry, is_whole=is_whole)
        raise AssertionError  # pragma: no cover - one of the two returned or raised


async def _taken(pool: Any) -> Any:
    """An entry of the pool, with its connection.

    An idle one is taken as it is: the detour through a greenlet costs more than a short
    statement, and only what has to wait or to connect needs it.
    """
    entry = pool._pool.get(False) if pool.checkedin() else None  # noqa: SLF001 - see `_connected`
    if entry is None or _is_old(pool, entry):
        return await greenlet_spawn(_connected, pool, entry)
    return entry


def _is_old(pool: Any, entry: Any) -> bool:
    if time.time() - entry.starttime > pool._recycle:  # noqa: SLF001 - see `_connected`
        return True
    return bool(entry._is_hard_or_soft_invalidated())  # noqa: SLF001 - see `_connected`


def _connected(pool: Any, entry: Any) -> Any:
    """As `pool.connect()` does it, but for what keeps an entry that its user forgot."""
    entry = entry or pool._do_get()  # noqa: SLF001 - the pool lends entries to itself alone
    try:
        entry.get_connection()
        entry.fresh = False  # or SQLAlchemy, which takes it later, would not test it
    except BaseException as error:
        entry._checkin_failed(error, _fairy_was_created=False)  # noqa: SLF001 - likewise
        raise
    return entry


async def _given_back(pool: Any, entry: Any, *, is_whole: bool) -> None:
    if not is_whole:  # it is ended, and its place is free
        await greenlet_spawn(entry._checkin_failed, None, _fairy_was_created=False)  # noqa: SLF001 - see `_connected`
    elif pool.checkedin() < pool.size():
        pool._return_conn(entry)  # noqa: SLF001 - see `_connected`
    else:  # one beyond the pool size is ended
        await greenlet_spawn(pool._return_conn, entry)  # noqa: SLF001 - see `_connected`


@asynccontextmanager
async def together(line: Any) -> AsyncIterator[None]:
    """All of the body or nothing; where it fails, the pool rolls back or lets go of the line."""
    await line.execute("BEGIN")
    yield
    await line.execute("COMMIT")


async def _survives(connection: Any, error: Exception) -> bool:
    """Whether the connection can go on after this, out of any transaction."""
    state = getattr(error, "sqlstate", None) or ""
    if not isinstance(error, asyncpg.PostgresError) or state.startswith(_ENDING):
        return False
    try:
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")
    except _DRIVERS:
        return False
    return not connection.is_closed()
