"""Replays for tests: makes a long log, replays it into a schema, and computes what the replayed tables must be."""

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.source import LogName
from daybook_projector.audit.replay.as_of import read_as_of
from daybook_projector.audit.replay.changes_since import TableDiff
from daybook_projector.audit.replay.diff import diff_since
from daybook_projector.audit.replay.filling import make_schema
from daybook_projector.audit.replay.past_rows import PastRows
from daybook_projector.audit.replay.run import FoundPast, PastRequest, described, find_past
from daybook_projector.audit.replay.schema import DEFAULT_SCHEMA
from daybook_projector.audit.verify.snapshot import open_snapshot
from support.auditing import silent
from support.chain import Json
from support.deciding import Deciders, append_decision
from support.logbook import Logbook
from support.projecting import database, entries_of, projecting, publish, quarantine, until_projected
from support.publisher import Send
from support.recounted import ACTIVITY
from support.tables import COLUMNS, Tables, fold, read_table


def long_log(sends: Iterable[Send], partitions: int) -> Logbook:
    """A log of several partitions with void records. The times of entries rise across all partitions."""
    deciders, log = Deciders(), Logbook(partitions)
    for at, send in enumerate(sends):
        append_decision(log, deciders.decide(send))
        if at % 7 == 0:
            log.void(at % partitions)
    return log


def write(settings: Settings, log: Logbook) -> None:
    """Publishes the log to the topic, and projects it into the tables."""

    async def published_and_projected() -> None:
        await publish(settings, log)
        async with database(settings) as pool, projecting(settings):
            await until_projected(pool, log)
            assert await quarantine(pool) == []

    asyncio.run(published_and_projected())


async def replay(
    settings: Settings, *as_of: str, org_id: str | None = None, log: LogName = "audit_log", replace: bool = True
) -> FoundPast:
    request = PastRequest(read_as_of(as_of, settings.partitions), org_id, log)
    with tempfile.TemporaryDirectory() as name:
        async with open_snapshot(settings) as snapshot:
            found = await find_past(settings, snapshot, request, Path(name), silent)
        with closing(PastRows(Path(name), found.partitions)) as past:
            await make_schema(settings, DEFAULT_SCHEMA, described(request), past, lambda _: None, replace=replace)
    return found


async def diff(
    settings: Settings, *as_of: str, org_id: str | None = None, log: LogName = "audit_log", limit: int = 1_000_000
) -> Mapping[str, TableDiff]:
    """The differences between then (`as_of`) and now, by table."""
    request = PastRequest(read_as_of(as_of, settings.partitions), org_id, log)
    with tempfile.TemporaryDirectory() as name:
        async with open_snapshot(settings) as snapshot:
            found = await find_past(settings, snapshot, request, Path(name), silent)
            with closing(PastRows(Path(name), found.partitions)) as past:
                diffs = await diff_since(snapshot, past, org_id, limit, managed_users=True)
    return {each.name: each for each in diffs}


async def replayed_tables(settings: Settings, schema: str = DEFAULT_SCHEMA) -> Tables:
    async with connect(settings, "test") as connection:
        return {name: await _read(connection, schema, name) for name in COLUMNS}


async def _read(connection: Connection, schema: str, name: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return await read_table(connection, f"{schema}.{name.replace('.', '_')}", *COLUMNS[name])


def all_entries(log: Logbook) -> list[Json]:
    """The entries of all partitions, in the order of their times."""
    entries = [entry for partition in range(log.partitions) for entry in entries_of(log, partition)]
    return sorted(entries, key=lambda entry: str(entry["created_at"]))


def past_tables(entries: Iterable[Json], org_id: str | None = None) -> Tables:
    """The tables by the tests' own fold. If a user's registration is not among the entries, only the id is known."""
    taken = [entry for entry in entries if org_id is None or entry["org_id"] == org_id]
    tables = fold(sorted(taken, key=lambda entry: str(entry["created_at"])))
    del tables[ACTIVITY]  # a replay has no activities
    for user_id in filter(None, chain.from_iterable(map(_users, taken))):
        tables["auth.users"].setdefault((user_id,), (None,))
    return tables


def _users(entry: Json) -> tuple[str | None, ...]:
    """The users that an entry names in its columns or in the row that it adds."""
    adds = entry["result"] == "success" and entry["action"] in {"ADD_MEMBER", "ADD_PROJECT_MEMBER"}
    return entry["actor_user_id"], entry["metadata_json"]["data"]["user_id"] if adds else None
