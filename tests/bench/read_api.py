"""Prints what pages of the read API cost: `python tests/bench/read_api.py [--rows N] [--rounds N]`. It compares pages
under row-level security with those of an auditor, whom no policy restricts, and the first page with one at the end of
N rows. It asserts nothing about time: compare the ratios.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

from bench.figures import say
from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.read_api.cursors import Values, encode_cursor, filter_hash
from support.driving import fresh_id
from support.planted_rows import plant
from support.read_scene import set_checkpoint
from support.reading import ReadApi, reading
from support.stack import Fresh, servers

PROJECTS = 100
START = datetime(2026, 1, 1, tzinfo=UTC)
ORG, OWNER, MEMBER, STRANGER = (fresh_id() for _ in range(4))
OWN_PROJECT = 0
DEEP = ("audit-log", "dead-letters", "sync-runs")
COLLECTIONS = (*DEEP, "alerts", "connections", "members", "projects", "secret-refs")
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'daybook-projector-read'"

MANY_ENTRIES = """
INSERT INTO audit_log SELECT gen_random_uuid(), $1, NULL, $2, 'RENAME_ORG', 'org', $1, 'success',
    jsonb_build_object('partition', 0, 'position', n, 'data', jsonb_build_object('name', repeat('x', 100))),
    $3::timestamptz + n * interval '1 second' FROM generate_series(1, $4::int) AS n
"""
MANY_LETTERS = """
INSERT INTO dlq_events SELECT gen_random_uuid(), ($1::uuid[])[1 + n % 100], jsonb_build_object('n', n),
    CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'resolved' END, 0 FROM generate_series(1, $2::int) AS n
"""
MANY_ALERTS = """
INSERT INTO integration_alerts SELECT gen_random_uuid(), p, (ARRAY['critical', 'warning', 'info'])[1 + n % 3], 'failing'
    FROM unnest($1::uuid[]) AS p, generate_series(1, 60) AS n
"""
MANY_REFS = """
INSERT INTO secret_refs SELECT gen_random_uuid(), $1, 'key ' || n, 'env:KEY' FROM generate_series(1, 100) AS n
"""
MANY_MEMBERS = """
WITH added AS (INSERT INTO auth.users SELECT gen_random_uuid(), now() FROM generate_series(1, 100) RETURNING id)
INSERT INTO org_members SELECT $1, id, 'viewer', now() FROM added
"""
MANY_RUNS = """
INSERT INTO sync_runs SELECT gen_random_uuid(), ($1::uuid[])[1 + n % 100], 'success',
    $2::timestamptz + n * interval '1 second', $2::timestamptz + n * interval '1 second', NULL
    FROM generate_series(1, $3::int) AS n
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=300)
    args = parser.parse_args()
    with servers(Settings()) as found:
        fresh = Fresh(found)
        try:
            asyncio.run(run(fresh(partitions=1), args.rows, args.rounds))
        finally:
            fresh.drop()


async def run(settings: Settings, rows: int, rounds: int) -> None:
    async with connect(settings, "bench", statement_seconds=0) as connection:
        started = time.perf_counter()
        await fill(connection, rows)
        seconds = time.perf_counter() - started
        say(f"{rows} entries, dead letters and sync runs of one org are there after {seconds:.0f} s")
    async with connect(settings, "bench") as connection, reading(settings) as api:
        say("medians of a page of 50, in ms: CPU of the API and PostgreSQL, CPU of PostgreSQL, clock; each with its")
        say("ratio to the auditor's page, or, for the deep page, to the owner's first one")
        for collection in COLLECTIONS:
            await compare(api, connection, collection, asked(collection, rows), rounds)


async def fill(connection: Connection, rows: int) -> None:
    projects, connections = [fresh_id() for _ in range(PROJECTS)], [fresh_id() for _ in range(PROJECTS)]
    await plant(
        connection,
        {
            "auth.users": [(user, "now") for user in (OWNER, MEMBER, STRANGER)],
            "orgs": [(ORG, "Org", "now")],
            "org_members": [(ORG, OWNER, "owner", "now"), (ORG, MEMBER, "member", "now")],
            "projects": [(id_, ORG, "Site", "now") for id_ in projects],
            "project_members": [(projects[OWN_PROJECT], MEMBER, "editor", "now")],
            "source_connections": [
                (id_, ORG, project, "hotmart", "Shop", {}, True)
                for id_, project in zip(connections, projects, strict=True)
            ],
        },
    )
    await connection.execute(MANY_ENTRIES, ORG, OWNER, START, rows)
    await connection.execute(MANY_LETTERS, connections, rows)
    await connection.execute(MANY_RUNS, connections, START, rows)
    await connection.execute(MANY_ALERTS, projects)
    await connection.execute(MANY_REFS, ORG)
    await connection.execute(MANY_MEMBERS, ORG)
    await connection.execute("VACUUM ANALYZE")
    await set_checkpoint(connection, 0, rows)


@dataclass(slots=True)
class Asked:
    """One kind of page. `yardstick`: the kind that it is compared with."""

    name: str
    principal: str
    yardstick: str
    query: dict[str, Any] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)
    server_cpu: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)

    async def measure(self, page: Awaitable[httpx.Response], backends: list[int]) -> httpx.Response:
        clock, own, server = time.perf_counter(), time.process_time(), server_cpu(backends)
        answer = await page
        self.clock.append(time.perf_counter() - clock)
        self.server_cpu.append(server_cpu(backends) - server)
        self.cpu.append(time.process_time() - own + self.server_cpu[-1])
        return answer


def server_cpu(backends: list[int]) -> float:
    """Seconds of CPU of these processes, to the microsecond."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) for pid in backends) / 1e9


def asked(collection: str, rows: int) -> list[Asked]:
    found = [
        Asked("auditor", "service:bench", "auditor"),
        Asked("owner", f"user:{OWNER}", "auditor"),
        Asked("member of 1 project", f"user:{MEMBER}", "auditor"),
        Asked("stranger", f"user:{STRANGER}", "auditor"),
    ]
    if collection in DEEP:
        values: Values = (START + timedelta(seconds=100), "00000000-0000-0000-0000-000000000000")
        if collection == "dead-letters":
            # Ids are random: all but about a hundred of them come before this one.
            values = (f"{int(0xFFFFFFFF * (1 - 100 / rows)):08x}-0000-4000-8000-000000000000",)
        walk = filter_hash(f"/v1/orgs/{{org_id}}/{collection}", {"org_id": ORG}, {})
        found.append(Asked("owner, deep", f"user:{OWNER}", "owner", {"cursor": encode_cursor(walk, values)}))
    return found


async def compare(api: ReadApi, connection: Connection, collection: str, kinds: list[Asked], rounds: int) -> None:
    """Each round asks for each kind of page once, so that other load affects all of them."""
    for _ in range(rounds):
        backends = [row["pid"] for row in await connection.fetch(BACKENDS)]
        for kind in random.sample(kinds, len(kinds)):
            page = api.get(f"/v1/orgs/{ORG}/{collection}", kind.principal, **kind.query)
            answer = await kind.measure(page, backends)
            assert answer.status_code == (404 if kind.name == "stranger" else 200), answer.text
    by_name = {kind.name: kind for kind in kinds}
    for kind in kinds:
        figures = ""
        for spent, base in zip(medians(kind), medians(by_name[kind.yardstick]), strict=True):
            figures += f"{spent * 1e3:9.2f} {spent / base:5.2f}"
        say(f"{collection:<14} {kind.name:<20}{figures}")


def medians(kind: Asked) -> tuple[float, float, float]:
    """Leaves out the first pages, for which connections are opened."""
    return median(kind.cpu[20:]), median(kind.server_cpu[20:]), median(kind.clock[20:])


if __name__ == "__main__":
    main()
