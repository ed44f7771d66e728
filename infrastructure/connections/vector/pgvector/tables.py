"""The table of a collection, and the SQL over it.

It is named by its number in the catalogue, so that a collection's name may be any text, and one
that was dropped and made anew is never taken for the old one.
"""

from collections.abc import Sequence
from typing import Final, Literal

from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.fusion import RRF_CONSTANT, depth
from infrastructure.connections.vector.pgvector.ask import Ask
from infrastructure.connections.vector.pgvector.catalogue import quoted
from infrastructure.connections.vector.pgvector.codecs import DATES, FIELDS, kept_text
from infrastructure.connections.vector.records import Metric, Place, Shape
from infrastructure.connections.vector.sparse import MAX_INDEX
from infrastructure.errors import UnsupportedError

Index = Literal["hnsw", "ivfflat", "none"]

#: What pgvector's types and indexes hold at most; `halfvec` has half the precision.
MAX_DIMENSIONS: Final = 16_000
_MAX_INDEXED: Final = 2_000
_MAX_HALF_INDEXED: Final = 4_000

#: By metric: the operator, and the word in the names of its classes. Cosine is asked about as the
#: inner product of unit vectors: the same for less, and a vector of zeros is like nothing.
_OPERATORS: Final = {
    Metric.COSINE: ("<#>", "ip"),
    Metric.DOT: ("<#>", "ip"),
    Metric.EUCLID: ("<->", "l2"),
}
#: More than any table has, and twice as many is still a number to the server.
_MOST_ROWS: Final = 2**60
#: How many more are looked at where the index has half the precision.
_HALF_DEPTH: Final = 2
#: As text: SQLAlchemy has each connection read `jsonb` its own way.
_PAYLOAD: Final = "payload::text"
COLUMNS: Final = ("tenant", "id", "text", "payload", "embedding", "sparse")
#: What a COPY fills: a table of the connection's own.
STAGE: Final = "switchgear_stage"


class VectorTable:
    """The SQL of one collection's table.

    Args:
        schema: Where it is.
        number: Its number in the catalogue.
        shape: What its records are like.
        extension: The schema that pgvector is installed in.

    Attributes:
        shape: The same.
    """

    def __init__(self, schema: str, number: int, shape: Shape, extension: str) -> None:
        self.shape = shape
        self.name = f"{quoted(schema)}.{quoted(f'vectors_{number}')}"
        self._types = quoted(extension)
        operator, self._word = _OPERATORS[shape.metric]
        self._is_half = _MAX_INDEXED < shape.dimensions <= _MAX_HALF_INDEXED
        self._indexed = self._halved("embedding") if self._is_half else "embedding"
        # between what is stored and $1: as the index orders by it, and the whole of it
        vector = self._kept(f"$1::{self._types}.vector")
        halved = self._halved(vector) if self._is_half else vector
        distance = f"(embedding OPERATOR({self._types}.{operator}) {vector})"
        self._order = f"({self._indexed} OPERATOR({self._types}.{operator}) {halved})"
        self._exact_order = f"{distance} + 0"  # an index orders by the distance alone
        self._records = f"SELECT id, text, {_PAYLOAD}, embedding, sparse FROM {self.name}"  # noqa: S608 - quoted
        self._scored = f"SELECT id, text, {_PAYLOAD}, {distance} AS distance FROM {self.name}"  # noqa: S608 - quoted

    def create(self, index: Index, options: str) -> list[str]:
        """Make the table and its indexes.

        Args:
            index: Of the vectors.
            options: Of that index, as in `WITH (...)`.

        Raises:
            UnsupportedError: That many dimensions cannot be kept, or not be indexed.
        """
        found, types = self.shape.dimensions, self._types
        most = MAX_DIMENSIONS if index == "none" else _MAX_HALF_INDEXED
        if found > most:
            raise UnsupportedError(
                f"pgvector takes up to {most} dimensions with the index '{index}', found {found}",
                hint="Set index: none." if found <= MAX_DIMENSIONS else "",
            )
        table = (
            f'CREATE TABLE {self.name} (tenant text COLLATE "C" NOT NULL,'
            f' id text COLLATE "C" NOT NULL, text text NOT NULL, payload jsonb NOT NULL,'
            f" embedding {types}.vector({found}) NOT NULL,"
            f" sparse {types}.sparsevec({MAX_INDEX}), PRIMARY KEY (tenant, id))"
        )
        made = [table, f"CREATE INDEX ON {self.name} USING gin (payload jsonb_path_ops)"]
        if index != "none":
            kind = "halfvec" if self._is_half else "vector"
            indexed = f"{self._indexed} {types}.{kind}_{self._word}_ops"
            made.append(f"CREATE INDEX ON {self.name} USING {index} ({indexed}) WITH ({options})")
        return made

    @property
    def reindex(self) -> str:
        """Make its indexes anew, beside the old ones until they are done."""
        return f"REINDEX TABLE CONCURRENTLY {self.name}"

    @property
    def unfinished(self) -> str:
        """Its indexes that were never whole, by name."""
        return (
            "SELECT indexrelid::regclass::text FROM pg_index"  # noqa: S608 - quoted
            f" WHERE indrelid = to_regclass('{self.name}') AND NOT indisvalid"
        )

    @property
    def stage(self) -> str:
        """Make the connection's own table that a COPY fills; its rows go with the transaction."""
        types = self._types
        return (
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {STAGE}"
            f' (tenant text COLLATE "C", id text COLLATE "C", text text, payload jsonb,'
            f" embedding {types}.vector, sparse {types}.sparsevec) ON COMMIT DELETE ROWS"
        )

    @property
    def take(self) -> str:
        """Store what was copied, in the order of ids, so that two such calls wait in one order."""
        taken = f"tenant, id, text, payload, {self._kept('embedding')}, sparse"
        return (
            f"INSERT INTO {self.name} ({', '.join(COLUMNS)})"  # noqa: S608 - quoted
            f" SELECT {taken} FROM pg_temp.{STAGE} ORDER BY tenant, id {self._replacing}"
        )

    @property
    def put(self) -> str:
        """Store one record."""
        types = self._types
        return (
            f"INSERT INTO {self.name} ({', '.join(COLUMNS)}) VALUES ($1, $2, $3, $4::jsonb,"  # noqa: S608 - quoted
            f" {self._kept(f'$5::{types}.vector')}, $6::{types}.sparsevec) {self._replacing}"
        )

    def get(self, place: Place, ids: Sequence[str]) -> Ask:
        """Records by ids."""
        return Ask(self._records, place, ids)

    def page(self, place: Place, filter: Filter | None, after: str, limit: int) -> Ask:
        """The records with the ids behind `after`, in the order of ids."""
        asked = Ask(self._records, place, filter)
        asked.narrow(asked.own())
        asked.narrow(f"id > {asked.value(kept_text(after))}")
        asked.end(f"ORDER BY id LIMIT {asked.value(limit)}")
        return asked

    def count(self, place: Place, filter: Filter | None) -> Ask:
        """How many pass."""
        return Ask(f"SELECT count(*) FROM {self.name}", place, filter)  # noqa: S608 - quoted

    def delete(self, place: Place, target: Sequence[str] | Filter) -> Ask:
        """Remove by ids or filter."""
        return Ask(f"DELETE FROM {self.name}", place, target)  # noqa: S608 - quoted

    def merge(
        self, place: Place, target: Sequence[str] | Filter, payload: str, names: Sequence[str]
    ) -> Ask:
        """Set some fields.

        Args:
            place: Where.
            target: Of which records.
            payload: They, as `payload_of` gives them.
            names: Those whose old values and dates go.
        """
        new, gone = "$1::jsonb", "$2::text[]"
        sql = (
            f"UPDATE {self.name} SET payload = jsonb_build_object("  # noqa: S608 - quoted
            f"'{FIELDS}', (payload->'{FIELDS}') - ({gone}) || (({new})->'{FIELDS}'),"
            f" '{DATES}', (coalesce(payload->'{DATES}', '{{}}') - ({gone}))"
            f" || coalesce(({new})->'{DATES}', '{{}}'))"
        )
        return Ask(sql, place, target, payload, names)

    def nearest(
        self,
        place: Place,
        query: bytes,
        window: tuple[int, int],
        filter: Filter | None,
        *,
        exact: bool,
    ) -> Ask:
        """The most alike, nearest first, with their distances.

        Args:
            place: Where.
            query: A vector's bytes, of any length.
            window: Limit and offset.
            filter: What they pass.
            exact: Look at all that pass instead of asking the index.
        """
        asked = Ask(self._scored, place, filter, query)
        # as numbers: of an unknown limit the server expects a tenth of all, and leaves the index
        limit, offset = (min(int(one), _MOST_ROWS) for one in window)
        if exact:
            asked.end(f"ORDER BY {self._exact_order} LIMIT {limit} OFFSET {offset}")
        elif self._is_half:
            depth = (limit + offset) * _HALF_DEPTH
            asked.sql = f"SELECT * FROM ({asked.sql}"  # noqa: S608 - quoted
            asked.end(
                f"ORDER BY {self._order} LIMIT {depth})"
                f" AS found ORDER BY distance LIMIT {limit} OFFSET {offset}"
            )
        else:
            asked.end(f"ORDER BY {self._order} LIMIT {limit} OFFSET {offset}")
        return asked

    def nearest_sparse(
        self, place: Place, query: bytes, window: tuple[int, int], filter: Filter | None
    ) -> Ask:
        """As `nearest`, by the sparse vectors of those that share something with it."""
        limit, offset = (min(int(one), _MOST_ROWS) for one in window)
        distance = self._by_sparse("$1")
        sql = f"SELECT id, text, {_PAYLOAD}, {distance} AS distance FROM {self.name}"  # noqa: S608 - quoted
        asked = Ask(sql, place, filter, query)
        asked.narrow(f"{distance} < 0")
        asked.end(f"ORDER BY {distance} LIMIT {limit} OFFSET {offset}")
        return asked

    def hybrid(
        self,
        place: Place,
        queries: tuple[bytes, bytes],
        limit: int,
        filter: Filter | None,
        *,
        exact: bool,
    ) -> Ask:
        """The best of both rankings by reciprocal rank fusion, with minus their scores.

        The last column says how many the first ranking has.

        Args:
            place: Where.
            queries: The bytes of a vector and of a sparse one.
            limit: How many.
            filter: What they pass.
            exact: As in `nearest`.
        """
        asked = Ask("", place, filter, *queries)
        most = min(int(limit), _MOST_ROWS)
        each = depth(most)
        by_dense = self._exact_order if exact else self._order
        by_sparse = self._by_sparse("$2")
        asked.sql = (
            f"WITH one AS (SELECT id, {by_dense} AS distance FROM {self.name}{asked.where()}"  # noqa: S608 - quoted
            f" ORDER BY {by_dense} LIMIT {each}),"
            f" other AS (SELECT id, {by_sparse} AS distance FROM {self.name}"
            f"{asked.where(f'{by_sparse} < 0')} ORDER BY {by_sparse} LIMIT {each}),"
            " ranks AS (SELECT id, row_number() OVER (ORDER BY distance, id) AS rank FROM one"
            " UNION ALL SELECT id, row_number() OVER (ORDER BY distance, id) FROM other),"
            f" best AS (SELECT id, -sum(1 / ({RRF_CONSTANT} + rank)::float8) AS distance FROM ranks"
            f" GROUP BY id ORDER BY distance, id LIMIT {most})"
            f" SELECT found.id, text, {_PAYLOAD}, distance, (SELECT count(*) FROM one)"
            f" FROM best JOIN {self.name} AS found"
            f" ON {asked.own('found.')} AND found.id = best.id ORDER BY distance, found.id"
        )
        asked.end(None)  # its conditions stand inside
        return asked

    @property
    def _replacing(self) -> str:
        changes = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])
        return f"ON CONFLICT (tenant, id) DO UPDATE SET {changes}"

    def _halved(self, vector: str) -> str:
        return f"(({vector})::{self._types}.halfvec({self.shape.dimensions}))"

    def _by_sparse(self, vector: str) -> str:
        return f"(sparse OPERATOR({self._types}.<#>) {vector}::{self._types}.sparsevec)"

    def _kept(self, vector: str) -> str:
        is_scaled = self.shape.metric is Metric.COSINE
        return f"{self._types}.l2_normalize({vector})" if is_scaled else vector
