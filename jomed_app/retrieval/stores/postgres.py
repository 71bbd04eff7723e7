"""PostgreSQL with pgvector: for hospitals that run Postgres. The only psycopg import of the app."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np

from jomed_app.errors import ConfigError, StorageError
from jomed_app.retrieval.stores.protocol import (
    GRAPH_BUILD_DEPTH,
    GRAPH_LINKS,
    NO_ROWS,
    SMALLEST_WALKED_SHARE,
    Rows,
    Scores,
    Vectors,
    top,
    walk_width,
)

_DEEPEST_WALK = 1000  # the most that pgvector keeps in sight


class PostgresStore:
    """A table of vectors; Postgres keeps them, `dump` gives a reference.

    Args:
        dim: numbers per vector, at most 2,000 where a graph is wanted.
        uri: `postgresql://user@host/database`, without a password: that stands in `PGPASSWORD` or
            `~/.pgpass`, where libpq looks.
        table: name; an existing table is continued.
        approximate: whether searches walk a graph (HNSW); otherwise every row is compared.

    Raises:
        ConfigError: if the address holds a password, the optional packages are not installed, the
            server does not answer, pgvector is not there, or the table has another dimension.
    """

    def __init__(self, dim: int, *, uri: str, table: str, approximate: bool = False) -> None:
        if not uri.startswith(("postgresql://", "postgres://")) or urlsplit(uri).password:
            raise ConfigError(
                "the Postgres store needs an address like postgresql://user@host/database without "
                "a password, found another one; put the password into PGPASSWORD or ~/.pgpass"
            )
        self._psycopg, self._sql, self._register = _import_psycopg()
        self._dim, self._uri, self._table = dim, uri, table
        self._is_approximate = approximate
        self._lock = threading.Lock()
        self._connection = self._connected()
        with self._cursor() as cursor:
            name = self._sql.Identifier(table)
            make = (
                "CREATE TABLE IF NOT EXISTS {} (row bigint PRIMARY KEY, vector vector({}) NOT NULL)"
            )
            cursor.execute(self._sql.SQL(make).format(name, self._sql.Literal(dim)))
            kind = (
                "SELECT atttypmod FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attname = 'vector'"
            )
            (found,) = cursor.execute(kind, [self._quoted()]).fetchone()
        if found != dim:
            self.close()
            raise ConfigError(
                f"Postgres table '{table}' must hold vectors of {dim} numbers, found {found}; "
                "name another table"
            )
        self._size = self._counted()

    @property
    def dim(self) -> int:
        """Numbers per vector."""
        return self._dim

    @property
    def uri(self) -> str:
        """Address of the server, without a password."""
        return self._uri

    @property
    def size(self) -> int:
        """Rows held when it was opened, and those added since."""
        return self._size

    @property
    def is_approximate(self) -> bool:
        """Whether a search walks a graph."""
        return self._is_approximate

    def add(self, vectors: Vectors) -> None:
        """Append (N, D) rows; all of them or, if it fails, none."""
        first = self._size
        name = self._sql.Identifier(self._table)
        with self._cursor() as cursor:
            into = "COPY {} (row, vector) FROM STDIN WITH (FORMAT BINARY)"
            with cursor.copy(self._sql.SQL(into).format(name)) as copy:
                copy.set_types(["bigint", "vector"])
                for offset, vector in enumerate(np.asarray(vectors, dtype=np.float32)):
                    copy.write_row([first + offset, vector])
            if (
                self._is_approximate
            ):  # after the first rows: a graph is built faster over what is there
                build = (
                    "CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (vector vector_ip_ops) "
                    f"WITH (m = {GRAPH_LINKS}, ef_construction = {GRAPH_BUILD_DEPTH})"
                )
                graph = self._sql.Identifier(f"{self._table}_graph")
                cursor.execute(self._sql.SQL(build).format(graph, name))
            cursor.execute(self._sql.SQL("ANALYZE {}").format(name))
        self._size = self._counted()

    def search(self, vector: Vectors, k: int, exclude_rows: Rows = NO_ROWS) -> tuple[Rows, Scores]:
        """Top k by inner product; see `VectorStore.search`.

        A graph is walked further while rows are left out (`hnsw.iterative_scan`); without it,
        pgvector gives fewer than k. Where less than a fifth of the rows may be found, every row
        is compared.
        """
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        name = self._sql.Identifier(self._table)
        # Hashed once; "row <> ALL" of an array compares every row with every one that is left out.
        filtered = "WHERE row NOT IN (SELECT unnest(%s::bigint[]))" if exclude_rows.size else ""
        text = self._sql.SQL(  # <#> is the negative inner product
            "SELECT row, -(vector <#> %s) FROM {} {} ORDER BY vector <#> %s LIMIT %s"
        ).format(name, self._sql.SQL(filtered))
        left_out = [exclude_rows.tolist()] if exclude_rows.size else []
        share = 1 - exclude_rows.size / max(1, self._size)
        walks = self._is_approximate and share >= SMALLEST_WALKED_SHARE

        def search_deep(depth: int) -> tuple[Rows, Scores]:
            with self._cursor() as cursor:
                width = min(_DEEPEST_WALK, walk_width(depth, share))
                cursor.execute(f"SET LOCAL hnsw.ef_search = {width:d}")
                cursor.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")
                if not walks:
                    cursor.execute("SET LOCAL enable_indexscan = off")
                found = cursor.execute(text, [query, *left_out, query, depth]).fetchall()
            rows = np.array([row for row, _ in found], dtype=np.int64)
            return rows, np.array([score for _, score in found], dtype=np.float32)

        return top(search_deep, k, self._size - exclude_rows.size, exact=not walks)

    def vectors(self) -> Vectors:
        """All rows, (N, D), in row order."""
        return self.some(range(self._size))

    def some(self, rows: Sequence[int]) -> Vectors:
        """The rows of these numbers, (R, D), in that order."""
        text = self._sql.SQL("SELECT row, vector FROM {} WHERE row = ANY(%s)").format(
            self._sql.Identifier(self._table)
        )
        with self._cursor() as cursor:
            found = dict(cursor.execute(text, [list(rows)]).fetchall())
        vectors = [found[row].to_numpy() for row in rows]
        return np.array(vectors, dtype=np.float32).reshape(len(rows), self._dim)

    def dump(self) -> bytes:
        """Address, table and dimension as JSON."""
        reference = {
            "uri": self._uri,
            "table": self._table,
            "dim": self._dim,
            "approximate": self._is_approximate,
        }
        return (json.dumps(reference, sort_keys=True) + "\n").encode()

    def drop(self) -> None:
        """Destroy the table."""
        with self._cursor() as cursor:
            cursor.execute(self._sql.SQL("DROP TABLE {}").format(self._sql.Identifier(self._table)))
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Connect to the table that the bytes of `dump` name."""
        reference = json.loads(content)
        return cls(
            reference["dim"],
            uri=reference["uri"],
            table=reference["table"],
            approximate=reference["approximate"],
        )

    def _connected(self) -> Any:
        try:
            connection = self._psycopg.connect(self._uri, connect_timeout=10)
            with connection.transaction():
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            self._register(connection)
        except self._psycopg.Error as error:
            raise ConfigError(
                f"the Postgres store needs a server with pgvector that answers at '{self._uri}', "
                "found none. Start it, or build the index anew with another --store"
            ) from error
        return connection

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """One transaction, one thread at a time; a connection that broke is opened anew."""
        with self._lock:
            if self._connection.closed:
                self._connection = self._connected()
            try:
                with self._connection.transaction(), self._connection.cursor() as cursor:
                    yield cursor
            except self._psycopg.OperationalError as error:
                self._connection.close()
                raise StorageError(
                    f"the vectors in Postgres table '{self._table}' must be reachable, and the "
                    "server ended the connection; try again when it is back"
                ) from error

    def _counted(self) -> int:
        text = self._sql.SQL("SELECT count(*) FROM {}").format(self._sql.Identifier(self._table))
        with self._cursor() as cursor:
            return int(cursor.execute(text).fetchone()[0])

    def _quoted(self) -> str:
        return f'"{self._table}"'


def _import_psycopg() -> tuple[Any, Any, Any]:
    """Return psycopg, its module for statements, and what teaches it vectors."""
    try:
        import psycopg
        from pgvector.psycopg import register_vector
        from psycopg import sql
    except ImportError as error:
        raise ConfigError(
            "the Postgres store needs the optional packages psycopg and pgvector, found none. "
            "Install: pip install psycopg[binary] pgvector"
        ) from error
    return psycopg, sql, register_vector
