"""Prints what pages of the read API cost: `python tests/bench/read_api.py [--rows N] [--rounds N]`. It compares the
first page with one at the end of N rows, and pages under row-level security with those of an auditor, whom no policy
confines. It asserts nothing: compare the ratios.
"""

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import Timings, say
from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.read_api.cursors import encode_cursor, filter_hash
from support.driving import fresh_id
from support.planted_rows import plant
from support.read_scene import set_checkpoint
from support.reading import ReadApi, reading
from support.stack import Fresh, servers

PROJECTS = 100
START = datetime(2026, 1, 1, tzinfo=UTC)
ORG, OWNER, MEMBER, STRANGER = (fresh_id() for _ in range(4))
OWN_PROJECT = 0

MANY_ENTRIES = """
INSERT INTO audit_log SELECT gen_random_uuid(), $1, NULL, $2, 'RENAME_ORG', 'org', $1, 'success',
    jsonb_build_object('partition', 0, 'position', n, 'data', jsonb_build_object('name', repeat('x', 100))),
    $3::timestamptz + n * interval '1 second' FROM generate_series(1, $4::int) AS n
"""
MANY_LETTERS = """
INSERT INTO dlq_events SELECT gen_random_uuid(), ($1::uuid[])[1 + n % 100], jsonb_build_object('n', n),
    CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'resolved' END, 0 FROM generate_series(1, $2::int) AS n
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
    async with reading(settings) as api:
        say("p50 of a page of 50, and its ratio to the owner's first page")
        for collection in ("audit-log", "dead-letters", "sync-runs"):
            await compare(api, collection, rows, rounds)


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
    for table in ("audit_log", "dlq_events", "sync_runs", "source_connections", "projects", "org_members"):
        await connection.execute(f"VACUUM ANALYZE {table}")
    await set_checkpoint(connection, 0, rows)


async def compare(api: ReadApi, collection: str, rows: int, rounds: int) -> None:
    """Each round asks for each kind of page once, so that other load affects all of them."""
    path = f"/v1/orgs/{ORG}/{collection}"
    walk = filter_hash(f"/v1/orgs/{{org_id}}/{collection}", {"org_id": ORG}, {})
    last = "00000000-0000-0000-0000-000000000000"
    deep = {
        "audit-log": (START + timedelta(seconds=100), last),
        "sync-runs": (START + timedelta(seconds=100), last),
        "dead-letters": ("f" * 8 + "-ffff" * 3 + "-" + "f" * 12,),
    }[collection]
    if collection == "dead-letters":
        # Ids are random: this one has all but about a hundred before it.
        deep = (f"{int(0xFFFFFFFF * (1 - 100 / rows)):08x}-0000-4000-8000-000000000000",)
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "owner": (f"user:{OWNER}", {}),
        "owner, deep": (f"user:{OWNER}", {"cursor": encode_cursor(walk, deep)}),
        "auditor": ("service:bench", {}),
        "member of 1 project": (f"user:{MEMBER}", {}),
        "stranger": (f"user:{STRANGER}", {}),
    }
    timings = {name: Timings() for name in asked}
    for _ in range(rounds):
        for name, (principal, query) in asked.items():
            answer = await timings[name].of(api.get(path, principal, **query))
            assert answer.status_code == (404 if name == "stranger" else 200), answer.text
    base = timings["owner"].p50
    for name, timing in timings.items():
        say(f"{collection:<14} {name:<22} {timing.p50 * 1e3:7.2f} ms {timing.p50 / base:6.2f}")


if __name__ == "__main__":
    main()
