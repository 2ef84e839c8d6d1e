"""Fetches runs, dead letters and alerts: pairs of org and id in, children by org out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import asyncpg

from daybook_command.domain.alerts import Alert
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.syncs import Run
from daybook_infra.runtime.postgres.connections import Connection

Pair = tuple[str, str]
"""The org that asks, and the id that it asks for."""

Child = TypeVar("Child")
ByOrg = dict[str, dict[str, Child]]
"""By org id, then by the child's id."""


async def fetch_asked(
    connection: Connection, statement: str, pairs: Iterable[Pair], *more: object
) -> Sequence[asyncpg.Record]:
    """Rows of another org than the one that asks are left out. Runs no statement if nothing is asked for."""
    wanted = set(pairs)
    if not wanted:
        return ()
    rows = await connection.fetch(statement, sorted({id_ for _, id_ in wanted}), *more)
    return [row for row in rows if (row["org_id"], row["id"]) in wanted]


def by_org(rows: Iterable[asyncpg.Record], make: Callable[[asyncpg.Record], Child]) -> ByOrg[Child]:
    found: ByOrg[Child] = defaultdict(dict)
    for row in rows:
        found[row["org_id"]][row["id"]] = make(row)
    return found


def run(row: asyncpg.Record) -> Run:
    return Run(row["connection_id"], row["status"])


def dead_letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(row["connection_id"], pending=row["pending"], retry_count=row["retry_count"])


def alert(row: asyncpg.Record) -> Alert:
    return Alert(row["project_id"], row["severity"])
