"""A connection whose statements are spans. Only connections made while spans are recorded are wrapped at all.

A span tells the statement's text, which never holds a value, and neither its arguments nor its result. What runs
outside of any trace (heartbeats, polling) is no span: it would bury those of requests.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import asyncpg

from meshery_common.telemetry import SpanKind, in_trace, span, tracing

#: Round trips that say nothing about the work, and `begin`, whose text names the scope.
_SILENT = frozenset({"BEGIN", "SAVEPOINT", "RELEASE"})
#: What a statement that begins with `with` does in the end, as far as it writes.
_WRITES = re.compile(
    r"\b(?:(insert) into (\w+)|(update) (\w+)(?: as)?(?: \w+)? set|(delete) from (\w+))", re.IGNORECASE
)
_TARGET = re.compile(r"\b(?:from|into|update|join)\s+([a-z_][a-z0-9_]*)", re.IGNORECASE)
_LONGEST_TEXT = 4000


def traced(raw: Any, schema: str) -> Any:
    """The connection, with spans if they are recorded."""
    return _TracedConnection(raw, schema) if tracing() else raw


class _TracedConnection:
    """Stands for a driver's connection; everything but statements is passed on."""

    def __init__(self, raw: Any, schema: str) -> None:
        self._raw = raw
        self._schema = schema

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    async def fetch(self, sql: str, *args: Any) -> Any:
        return await self._recorded(self._raw.fetch, sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        return await self._recorded(self._raw.fetchrow, sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await self._recorded(self._raw.fetchval, sql, *args)

    async def execute(self, sql: str, *args: Any) -> Any:
        return await self._recorded(self._raw.execute, sql, *args)

    async def executemany(self, sql: str, rows: Any) -> Any:
        return await self._recorded(self._raw.executemany, sql, rows)

    async def copy_records_to_table(self, table: str, **options: Any) -> Any:
        if not in_trace():
            return await self._raw.copy_records_to_table(table, **options)
        about = {"db.operation.name": "COPY", "db.query.summary": f"COPY {table}"}
        with span(self._schema, f"COPY {table}", SpanKind.CLIENT, self._common() | about):
            return await self._raw.copy_records_to_table(table, **options)

    async def _recorded(self, run: Callable[..., Awaitable[Any]], sql: str, *args: Any) -> Any:
        operation, summary, text = described(sql)
        if operation in _SILENT or not in_trace():
            return await run(sql, *args)
        about = {"db.operation.name": operation, "db.query.summary": summary, "db.query.text": text}
        with span(self._schema, summary, SpanKind.CLIENT, self._common() | about) as current:
            try:
                return await run(sql, *args)
            except asyncpg.PostgresError as error:
                if error.sqlstate:
                    current.set_attribute("db.response.status_code", error.sqlstate)
                raise

    def _common(self) -> dict[str, str]:
        return {"db.system.name": "postgresql", "db.namespace": self._schema}


@lru_cache(maxsize=1024)
def described(sql: str) -> tuple[str, str, str]:
    """Operation, a short name, and the text of a statement on one line."""
    text = " ".join(sql.split())
    operation = text.partition(" ")[0].partition(";")[0].upper()
    writes = _WRITES.search(text) if operation == "WITH" else None
    if writes is not None:
        operation, target = (part.strip() for part in writes.groups() if part)
        operation = operation.upper()
    else:
        found = _TARGET.search(text)
        target = found[1] if found else ""
    return operation, f"{operation} {target}".rstrip(), text[:_LONGEST_TEXT]
