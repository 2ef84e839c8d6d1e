"""Runs rebuilds in this process and from the command line. Defines a log with rows in every table, and damage to
each.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.rebuild.differences import Comparison, Difference
from daybook_projector.rebuild.jobs import Source
from daybook_projector.rebuild.whole_rebuild import open_whole_rebuild
from support.healing import silent
from support.hub_scene import connection_created
from support.logbook import Logbook, org, project, thing, user
from support.poison import ANN, BOB, ORG, OTHER_ORG, busy
from support.shell import Completed, finish, start

SPARE_USER = user(3)
LEFT_OVER = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'daybook_rebuild%'"


async def compare(settings: Settings, source: Source = "audit_log") -> Comparison:
    async with open_whole_rebuild(settings, source, silent) as rebuilding:
        return await rebuilding.compare()


async def rebuild(settings: Settings, source: Source = "audit_log") -> list[Difference]:
    """Returns what was corrected."""
    async with open_whole_rebuild(settings, source, silent) as rebuilding:
        await rebuilding.compare()
        return [each for each in await rebuilding.apply() if each]


async def start_rebuild(settings: Settings, *arguments: str, **env: str) -> asyncio.subprocess.Process:
    return await start(settings, "projector", "rebuild", *arguments, **env)


async def run_rebuild(settings: Settings, *arguments: str, **env: str) -> Completed:
    return await finish(await start_rebuild(settings, *arguments, **env))


def full() -> Logbook:
    """A log that gives one org rows in every table."""
    log = busy()
    log.register(SPARE_USER)
    log.add(ORG, ANN, connection_created(thing(21), project(3)))
    log.add(
        ORG,
        ANN,
        facts.AlertRaised(alert_id=thing(20), project_id=project(3), severity="info", message="a \N{SNOWMAN}"),
    )
    log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(22), key_name="b", secret_id_ref="env:C"))
    log.refuse(ORG, BOB, "RENAME_ORG", ORG, {"name": "refused"})
    return log


@dataclass(frozen=True, slots=True)
class Damage:
    """Statements that damage the tables. `found`: the differences that a rebuild must find."""

    name: str
    statements: tuple[str, ...]
    found: tuple[Difference, ...]


def damage(name: str, statement: str | Sequence[str], *found: Difference) -> Damage:
    return Damage(name, (statement,) if isinstance(statement, str) else tuple(statement), found)


async def hurt(pool: Pool, *damages: Damage) -> None:
    """Damages the tables, with foreign keys switched off, which only a superuser can do."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for each in damages:
            for statement in each.statements:
                await connection.execute(statement)


def _one(table: str, kind: str) -> Difference:
    return Difference(table, **{kind: 1})


_ALTERATIONS = (
    ("public.orgs", "name = 'x'", f"id = '{OTHER_ORG}'", f"'{org(9)}', 'x', now()"),
    ("public.org_members", "role = 'viewer'", f"user_id = '{BOB}'", f"'{ORG}', '{SPARE_USER}', 'owner', now()"),
    ("public.projects", "name = 'x'", f"id = '{project(4)}'", f"'{project(9)}', '{OTHER_ORG}', 'x', now()"),
    ("public.project_members", "role = 'admin'", f"user_id = '{ANN}'", f"'{project(4)}', '{BOB}', 'admin', now()"),
    ("public.secret_refs", "key_name = 'x'", f"id = '{thing(9)}'", f"'{thing(90)}', '{OTHER_ORG}', 'a', 'env:A'"),
    (
        "public.source_connections",
        "config_json = '{\"a\": 1.5}'",
        f"id = '{thing(21)}'",
        f"'{thing(91)}', '{OTHER_ORG}', '{project(3)}', 'rss', 'x', '{{}}', true",
    ),
    (
        "daybook.connection_activity",
        "pending = pending + 1",
        f"connection_id = '{thing(21)}'",
        f"'{thing(95)}', 0, 0, null",
    ),
    (
        "public.sync_runs",
        "error_message = 'x'",
        f"id = '{thing(2)}'",
        f"'{thing(92)}', '{thing(1)}', 'running', now(), null, null",
    ),
    (
        "public.dlq_events",
        "payload_json = '[]'",
        f"id = '{thing(3)}'",
        f"'{thing(93)}', '{thing(1)}', '{{}}', 'pending', 0",
    ),
    (
        "public.integration_alerts",
        "message = ''",
        f"id = '{thing(20)}'",
        f"'{thing(94)}', '{project(3)}', 'info', ''",
    ),
)
"""For each table: a change, the row that it changes, and a row that can be added."""


def _damages() -> list[Damage]:
    found = []
    for table, changed, where, row in _ALTERATIONS:
        found += [
            damage(f"a column of {table}", f"UPDATE {table} SET {changed} WHERE {where}", _one(table, "other")),
            damage(f"a missing row of {table}", f"DELETE FROM {table} WHERE {where}", _one(table, "missing")),
            damage(f"a surplus row of {table}", f"INSERT INTO {table} VALUES ({row})", _one(table, "surplus")),
        ]
    return found


DAMAGES = [
    *_damages(),
    damage("a missing user", f"DELETE FROM auth.users WHERE id = '{SPARE_USER}'", _one("auth.users", "missing")),
    damage("a surplus user", f"INSERT INTO auth.users VALUES ('{user(9)}', now())", _one("auth.users", "surplus")),
    damage(
        "swapped unique values",
        [
            f"UPDATE secret_refs SET key_name = 'c' WHERE id = '{thing(9)}'",
            f"UPDATE secret_refs SET key_name = 'a' WHERE id = '{thing(22)}'",
            f"UPDATE secret_refs SET key_name = 'b' WHERE id = '{thing(9)}'",
        ],
        Difference("public.secret_refs", other=2),
    ),
    damage(
        "an activity that names an ended run",
        f"UPDATE daybook.connection_activity SET running_run_id = '{thing(2)}', failed_in_a_row = 3",
        Difference("daybook.connection_activity", other=2),
    ),
    damage(
        "a row that refers to a surplus row",
        [
            f"INSERT INTO projects VALUES ('{project(9)}', '{OTHER_ORG}', 'x', now())",
            f"UPDATE integration_alerts SET project_id = '{project(9)}'",
        ],
        _one("public.projects", "surplus"),
        _one("public.integration_alerts", "other"),
    ),
    damage(
        "a project in another org",
        f"UPDATE projects SET org_id = '{OTHER_ORG}' WHERE id = '{project(3)}'",
        _one("public.projects", "other"),
    ),
    damage(
        "rows of a surplus connection",
        [
            (
                "INSERT INTO source_connections "
                f"VALUES ('{thing(91)}', '{OTHER_ORG}', '{project(3)}', 'a', 'x', '{{}}', true)"
            ),
            f"UPDATE sync_runs SET connection_id = '{thing(91)}'",
            f"INSERT INTO dlq_events VALUES ('{thing(93)}', '{thing(91)}', '{{}}', 'pending', 0)",
        ],
        _one("public.source_connections", "surplus"),
        _one("public.sync_runs", "other"),
        _one("public.dlq_events", "surplus"),
    ),
]

NINE_TABLES = (
    "orgs",
    "org_members",
    "projects",
    "project_members",
    "secret_refs",
    "source_connections",
    "sync_runs",
    "dlq_events",
    "integration_alerts",
)
EMPTIED = damage(
    "all tables emptied",
    [f"DELETE FROM {table}" for table in (*NINE_TABLES, "daybook.connection_activity", "auth.users")],
)
DAMAGE_TO_TWO_ORGS = (
    damage("members", f"DELETE FROM org_members WHERE user_id = '{BOB}'"),
    damage("names", f"UPDATE orgs SET name = 'x' WHERE id = '{OTHER_ORG}'"),
)
"""Damage to a row of one org and to a row of another org."""
