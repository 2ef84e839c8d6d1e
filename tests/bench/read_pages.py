"""Prints what a page of SQL costs under row-level security: `python tests/bench/read_pages.py [--orgs N] [--rounds N]`.
A page is 50 rows of a table, in a transaction that takes a role and sets claims, as a gateway does. The pages of an
owner, a member of one of 100 projects, and a stranger are compared with the same page of an auditor, whom no policy
restricts. It asserts nothing: compare the ratios.
"""

import argparse
import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.driving import open_database
from support.readers import AUDITOR, READER, reader_logins, take_role
from support.sql import open_connection
from support.stack import Fresh, servers

Asked = tuple[str, str, str]
"""A name for what is printed, a role, and the `sub` of the claims."""
# Each org has 100 members, of whom the first is its owner, and 100 projects, each with 3 connections. Member k is in
# project k, and all are in project 2. `id` makes ids from numbers.
FILL = """
CREATE FUNCTION pg_temp.id(kind text, VARIADIC n integer[]) RETURNS uuid IMMUTABLE LANGUAGE sql
    RETURN md5(kind || array_to_string(n, ' '))::uuid;
CREATE TEMP TABLE o AS SELECT n, pg_temp.id('org', n) AS id FROM generate_series(1, {orgs}) AS n;
CREATE TEMP TABLE p AS SELECT n, k, o.id AS org, pg_temp.id('project', n, k) AS id FROM o, generate_series(1, 100) AS k;
CREATE TEMP TABLE c AS SELECT p.*, pg_temp.id('connection', n, k, i) AS cid FROM p, generate_series(1, 3) AS i;
INSERT INTO auth.users SELECT pg_temp.id('user', n, k), now() FROM p;
INSERT INTO orgs SELECT id, 'Org ' || n, now() FROM o;
INSERT INTO org_members SELECT org, pg_temp.id('user', n, k), (CASE k WHEN 1 THEN 'owner' ELSE 'member' END)::org_role,
    now() FROM p;
INSERT INTO projects SELECT id, org, 'Project ' || k, now() FROM p;
INSERT INTO project_members SELECT id, pg_temp.id('user', n, k), 'editor', now() FROM p;
INSERT INTO project_members SELECT pg_temp.id('project', n, 2), pg_temp.id('user', n, k), 'editor', now() FROM p
    ON CONFLICT DO NOTHING;
INSERT INTO source_connections SELECT cid, org, id, 'hotmart', 'Shop', '{{}}', true FROM c;
INSERT INTO sync_runs SELECT gen_random_uuid(), cid, 'success', now() - i * interval '1 min', now(), NULL
    FROM c, generate_series(1, 60) AS i;
INSERT INTO dlq_events SELECT gen_random_uuid(), cid, '{{"event": "x"}}', 'pending', 0 FROM c, generate_series(1, 60);
INSERT INTO integration_alerts SELECT gen_random_uuid(), id, 'warning', 'The last sync failed' FROM p,
    generate_series(1, 60);
INSERT INTO secret_refs SELECT gen_random_uuid(), id, 'key ' || i, 'env:KEY' FROM o, generate_series(1, 100) AS i;
INSERT INTO audit_log SELECT gen_random_uuid(), id, NULL, NULL, 'RENAME_ORG', 'org', id, 'success', '{{}}',
    now() - i * interval '1 s' FROM o, generate_series(1, 3000) AS i;
"""
ORG, PROJECT, CONNECTION = "md5('org1')::uuid", "md5('project1 2')::uuid", "md5('connection1 2 1')::uuid"
USERS = {"owner": "md5('user1 1')::uuid", "member": "md5('user1 2')::uuid", "stranger": "md5('user0 0')::uuid"}
PAGES = {
    "orgs": f"SELECT * FROM orgs WHERE id = {ORG}",
    "org_members": f"SELECT * FROM org_members WHERE org_id = {ORG} ORDER BY user_id LIMIT 50",
    "projects": f"SELECT * FROM projects WHERE org_id = {ORG} ORDER BY id LIMIT 50",
    "project_members": f"SELECT * FROM project_members WHERE project_id = {PROJECT} ORDER BY user_id LIMIT 50",
    "source_connections": f"SELECT * FROM source_connections WHERE project_id = {PROJECT} ORDER BY id LIMIT 50",
    "sync_runs": f"SELECT * FROM sync_runs WHERE connection_id = {CONNECTION} ORDER BY started_at DESC, id LIMIT 50",
    "dlq_events": f"SELECT * FROM dlq_events WHERE connection_id = {CONNECTION} AND status = 'pending' "
    "ORDER BY id LIMIT 50",
    "integration_alerts": f"SELECT * FROM integration_alerts WHERE project_id = {PROJECT} ORDER BY id LIMIT 50",
    "secret_refs": f"SELECT * FROM secret_refs WHERE org_id = {ORG} ORDER BY id LIMIT 50",
    "audit_log": f"SELECT * FROM audit_log WHERE org_id = {ORG} ORDER BY created_at DESC LIMIT 50",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orgs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=400)
    args = parser.parse_args()
    with servers(Settings()) as found:
        fresh = Fresh(found)
        try:
            asyncio.run(run(fresh(partitions=1), args.orgs, args.rounds))
        finally:
            fresh.drop()


async def run(settings: Settings, orgs: int, rounds: int) -> None:
    async with open_database(settings) as owner:
        await owner.execute(FILL.format(orgs=orgs), timeout=3600)
        await owner.execute("VACUUM ANALYZE", timeout=3600)
        users = {name: await owner.fetchval(f"SELECT {id_}::text") for name, id_ in USERS.items()}
    async with AsyncExitStack() as stack:
        readers = await stack.enter_async_context(reader_logins(settings))
        # A change of the role makes PostgreSQL plan a prepared statement again, so each user has a connection.
        asked = [("auditor", AUDITOR, "bench"), *((name, READER, user) for name, user in users.items())]
        opened = [await stack.enter_async_context(open_connection(readers.url("gateway"))) for _ in asked]
        say("ms of the fastest twentieth of the pages, and their ratio to the auditor's")
        for table, sql in PAGES.items():
            await compare(table, sql, list(zip(opened, asked, strict=True)), rounds)


async def compare(table: str, sql: str, asked: list[tuple[Connection, Asked]], rounds: int) -> None:
    spent: dict[str, list[float]] = {name: [] for _, (name, _, _) in asked}
    for _ in range(rounds):
        random.shuffle(asked)
        for connection, (name, role, subject) in asked:
            spent[name].append(await timed(connection, sql, role, subject))
    # Other load on the machine makes some pages slower, and none faster.
    cost = {name: quantiles(seconds[20:], n=20)[0] * 1e3 for name, seconds in spent.items()}
    ratios = "".join(f"  {name} {cost[name]:.3f} {cost[name] / cost['auditor']:.2f}" for name in USERS)
    say(f"{table:<20}{cost['auditor']:.3f}{ratios}")


async def timed(connection: Connection, sql: str, role: str, subject: str) -> float:
    start = time.perf_counter()
    async with connection.transaction(readonly=True):
        await take_role(connection, {"sub": subject, "aud": "daybook"}, role)
        await connection.fetch(sql)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
