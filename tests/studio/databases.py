"""Empty PostgreSQL databases for one test each, used again for the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Json

from tests.studio.postgres import Server

# All that a test may have changed in the making of a database: what is not as in the template is
# not used again.
_MAKING = """
SELECT md5(string_agg(part, chr(10) ORDER BY part)) FROM (
  SELECT format('%s %s %s %s %s', attrelid::regclass, attnum, attname, atttypid, attnotnull)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0
  UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
  UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
) AS parts(part)
"""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_START_AGAIN = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE schemaname = 'public'
"""


@dataclass(frozen=True)
class _Template:
    """What a new database has: its making, and the rows of its tables as JSON, None = none."""

    making: str
    rows: dict[str, Any]


class Databases:
    """Databases like the template "prepared".

    Making one copies hundreds of files, and removing them in the end takes longer than any test:
    so one that a test has left is emptied for the next.
    """

    def __init__(self, server: Server) -> None:
        self._server, self._count = server, 0
        self._left: list[str] = []
        self._template: _Template | None = None

    def take(self) -> str:
        """Return the name of a database that has all tables, and nobody in it."""
        for name in list(self._left):
            self._left.remove(name)
            with psycopg.connect(self._server.url(name), autocommit=True) as connection:
                if _one(connection, _OTHERS):  # somebody has not quite left yet
                    self._left.append(name)
                elif self._emptied(connection):
                    return name
        self._count += 1
        name = f"test{self._count}"
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as connection:
            made = sql.SQL("CREATE DATABASE {} TEMPLATE prepared").format(sql.Identifier(name))
            connection.execute(made)
        return name

    def leave(self, name: str) -> None:
        """Say that a test is done with a database."""
        self._left.append(name)

    def _emptied(self, connection: psycopg.Connection[Any]) -> bool:
        """Bring a database back to what the template has; False where its making is another."""
        template = self._template = self._template or self._read_template()
        if _one(connection, _MAKING) != template.making:
            return False
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no keys in the way
            for table, rows in template.rows.items():
                place = sql.Identifier(table)
                connection.execute(sql.SQL("DELETE FROM {}").format(place))
                if rows is not None:
                    again = "INSERT INTO {0} SELECT * FROM json_populate_recordset(NULL::{0}, %s)"
                    connection.execute(sql.SQL(again).format(place), [Json(rows)])
            connection.execute(_START_AGAIN)
        return True

    def _read_template(self) -> _Template:
        with psycopg.connect(self._server.url("prepared"), autocommit=True) as connection:
            asked = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            rows = {}
            for (table,) in connection.execute(asked).fetchall():
                read = sql.SQL("SELECT json_agg(t) FROM {} AS t").format(sql.Identifier(table))
                rows[table] = _one(connection, read)
            return _Template(str(_one(connection, _MAKING)), rows)


def _one(connection: psycopg.Connection[Any], asked: Any) -> Any:
    row = connection.execute(asked).fetchone()
    assert row is not None
    return row[0]
