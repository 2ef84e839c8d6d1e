"""Fetches rows of runs, dead letters, alerts and connections, and makes children from them, grouped by org."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import TypeVar

import asyncpg

from daybook_command.domain.activity import Activity
from daybook_command.domain.alerts import Alert
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.syncs import Run
from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_infra.runtime.postgres.connections import Connection

Pair = tuple[str, str]
"""An org's id, and the id of something that must belong to this org."""

Child = TypeVar("Child")
ByOrg = dict[str, dict[str, Child]]
"""By org id, then by the child's id."""


async def fetch_rows_of_orgs(
    connection: Connection, statement: str, pairs: Iterable[Pair], *more: object
) -> Sequence[asyncpg.Record]:
    """The rows of these pairs. A row with such an id is left out if it belongs to another org. Runs no statement if
    there are no pairs.
    """
    asked = set(pairs)
    if not asked:
        return ()
    rows = await connection.fetch(statement, sorted({id_ for _, id_ in asked}), *more)
    return [row for row in rows if (row["org_id"], row["id"]) in asked]


def by_org(rows: Iterable[asyncpg.Record], make: Callable[[asyncpg.Record], Child]) -> ByOrg[Child]:
    found: ByOrg[Child] = defaultdict(dict)
    for row in rows:
        found[row["org_id"]][row["id"]] = make(row)
    return found


def run_of_row(row: asyncpg.Record) -> Run:
    return Run(row["connection_id"], row["status"])


def dead_letter_of_row(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(row["connection_id"], pending=row["pending"], retry_count=row["retry_count"])


def alert_of_row(row: asyncpg.Record) -> Alert:
    return Alert(row["project_id"], row["severity"])


def activity_of_row(row: asyncpg.Record) -> Activity:
    config = sha256(canonical_bytes(parse_as_ecmascript(row["config_json"]))).digest()
    return Activity(config, row["running"], row["failures"], row["pending"])
