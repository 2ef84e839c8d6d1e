"""Looks for a text in everything that a running system writes: tables, topics, logs and metrics."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from daybook_infra.runtime.settings import Settings
from support.driving import open_database
from support.processes import System
from support.topics import records_of

TOPICS = ("audit_log", "results", "commands.dlq", "commands")
SCHEMAS = ("public", "daybook", "auth")
# A place (a table, a topic, a service's log or metrics), and bytes that are written there.
Written = tuple[str, bytes]


async def count_traces(system: System, needles: Iterable[bytes]) -> dict[str, int]:
    """For each place, how many of its rows, records or files contain a needle. Places without any are left out."""
    sought, found = tuple(needles), dict[str, int]()
    async for place, written in _everything(system):
        if contains_any(written, sought):
            found[place] = found.get(place, 0) + 1
    return found


def contains_any(written: bytes, needles: Iterable[bytes]) -> bool:
    # This finds needles in UTF-16 too: there, every second byte of ASCII text is a NUL.
    plain = written.replace(b"\0", b"")
    return any(needle in plain for needle in needles)


async def _everything(system: System) -> AsyncIterator[Written]:
    async for row in _rows(system.settings):
        yield row
    async for record in _records(system.settings):
        yield record
    for service in system.services:
        yield service.log.name, service.log.read_bytes()
        metrics = await asyncio.to_thread(service.metrics)
        yield f"{service.log.stem} metrics", metrics.encode()


async def _rows(settings: Settings) -> AsyncIterator[Written]:
    async with open_database(settings) as connection:
        list_tables = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = any($1)"
        for (table,) in await connection.fetch(list_tables, SCHEMAS):
            for (row,) in await connection.fetch(f"select t::text from {table} t"):
                yield table, row.encode()


async def _records(settings: Settings) -> AsyncIterator[Written]:
    """The keys, values and headers of all records."""
    for name in TOPICS:
        for record in await records_of(settings, name):
            headers = (part for name, value in record.headers for part in (name.encode(), value or b""))
            yield name, b"\n".join([record.key or b"", record.value or b"", *headers])
