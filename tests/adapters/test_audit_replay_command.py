"""`daybook audit replay` on the command line: which schema it makes, what it refuses, and how it removes the schema."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from daybook_contracts.entries import facts
from daybook_infra.operations.cli import main
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.granted import granted
from support.logbook import Logbook
from support.poison import ANN, BOB, OTHER_ORG, busy
from support.processes import environment
from support.projecting import is_lock_awaited, post, until
from support.shell import Completed, start

SHARED_DATABASE = True
CLEAN = """
DROP SCHEMA IF EXISTS daybook_replay, other_name, mine CASCADE;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON SCHEMAS FROM PUBLIC;
"""
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname IN ('daybook_replay', 'mine') ORDER BY nspname"
COMMENT = "SELECT obj_description('daybook_replay'::regnamespace, 'pg_namespace')"
FOREIGN = "CREATE SCHEMA mine; CREATE TABLE mine.orgs (id int); INSERT INTO mine.orgs VALUES (7)"


@pytest.fixture
async def log(pool: Pool) -> Logbook:
    """The last two entries add a member to OTHER_ORG and rename it."""
    await pool.execute(CLEAN)
    log = busy()
    log.add(OTHER_ORG, ANN, facts.MemberAdded(role="member", user_id=BOB))
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="after"))
    assert await post(pool, log) == []
    return log


def before_the_last_two(log: Logbook) -> str:
    return f"0.{log.heads[0].position - 2}"


async def run(settings: Settings, *arguments: str) -> Completed:
    """Runs the command in this process, because that is quicker than starting a new one."""
    command = partial(CliRunner().invoke, main, ["audit", "replay", *arguments], env=environment(settings))
    result = await asyncio.to_thread(command)
    return Completed(result.exit_code, result.stdout, result.stderr)


def list_files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def names(pool: Pool, schema: str = "daybook_replay") -> list[str]:
    return [row[0] for row in await pool.fetch(f"SELECT name FROM {schema}.orgs ORDER BY id")]


async def schemas(pool: Pool) -> list[str]:
    return [row[0] for row in await pool.fetch(SCHEMAS)]


async def test_a_replay_prints_a_summary_and_marks_its_schema(settings: Settings, pool: Pool, log: Logbook) -> None:
    place = before_the_last_two(log)
    made = await run(settings, "--as-of", place, "--from", "audit_log")
    assert (made.code, made.stderr) == (0, "")
    assert made.stdout == (
        f"schema daybook_replay: as of {place}, from audit_log\n"
        f"positions: {place}\n"
        "rows: auth_users 2, orgs 2, org_members 3, projects 2, project_members 1, secret_refs 1, "
        f"source_connections 1, sync_runs 1, dlq_events 1, integration_alerts 0, "
        f"audit_log {log.heads[0].position - 1}\n"
    )
    assert await names(pool) == ["unknown", "a"]
    assert await pool.fetchval(COMMENT) == f"daybook audit replay: as of {place}, from audit_log"
    assert await names(pool, "public") == ["unknown", "after"]


async def test_an_earlier_replay_is_replaced_only_with_replace(settings: Settings, pool: Pool, log: Logbook) -> None:
    for name in ((), ("--schema", "other_name")):
        assert (await run(settings, "--as-of", before_the_last_two(log), "--from", "audit_log", *name)).code == 0
        again = ("--as-of", f"0.{log.heads[0].position}", "--from", "audit_log", *name)
        schema = name[-1] if name else "daybook_replay"
        refused = await run(settings, *again)
        assert (refused.code, refused.stdout) == (2, "")
        assert refused.stderr == (
            f"could not replay: schema {schema} has a replay already (as of {before_the_last_two(log)}, "
            "from audit_log): add --replace, or name another one with --schema\n"
        )
        assert await names(pool, schema) == ["unknown", "a"]
        assert (await run(settings, *again, "--replace")).code == 0
        assert await names(pool, schema) == ["unknown", "after"]


@pytest.mark.parametrize(
    "arguments",
    [("--as-of", "0.0"), ("--as-of", "0.0", "--replace"), ("--drop",)],
    ids=["made", "replaced", "dropped"],
)
@pytest.mark.parametrize("comment", ["", "COMMENT ON SCHEMA mine IS 'a replay of ours'"])
async def test_a_schema_that_no_replay_made_is_never_changed(
    settings: Settings, pool: Pool, log: Logbook, arguments: tuple[str, ...], comment: str
) -> None:
    await pool.execute(f"{FOREIGN}; {comment}")
    for schema in ("mine", "public", "daybook"):
        refused = await run(settings, *arguments, "--schema", schema)
        assert (refused.code, refused.stdout) == (2, "")
        assert refused.stderr.startswith(f"could not replay: schema {schema} was not made by a replay")
    assert await pool.fetchval("SELECT id FROM mine.orgs") == 7
    assert await names(pool, "public") == ["unknown", "after"]


async def test_drop_removes_the_schema_or_says_that_there_is_none(settings: Settings, pool: Pool, log: Logbook) -> None:
    assert (await run(settings, "--as-of", "0.0", "--from", "audit_log")).code == 0
    assert (await run(settings, "--drop")) == Completed(0, "schema daybook_replay is removed\n", "")
    assert await schemas(pool) == []
    assert (await run(settings, "--drop")) == Completed(0, "there is no schema daybook_replay\n", "")


@pytest.mark.parametrize(
    "other",
    [
        "CREATE TABLE daybook_replay.notes (id int)",
        "CREATE VIEW public.past AS SELECT * FROM daybook_replay.orgs",
    ],
)
async def test_a_schema_with_other_objects_or_dependents_is_not_dropped(
    settings: Settings, pool: Pool, log: Logbook, other: str
) -> None:
    made = ("--as-of", "0.9", "--from", "audit_log")
    assert (await run(settings, *made)).code == 0
    await pool.execute(other)
    for arguments in (("--drop",), (*made, "--replace")):
        refused = await run(settings, *arguments)
        assert (refused.code, refused.stdout) == (2, "")
        assert "holds more than its replay, or something depends on it" in refused.stderr
        assert await names(pool) == ["a", "a"]


@pytest.mark.parametrize(
    "name",
    ["Replay", "a b", 'x"; drop schema public; --', "pg_replay", "daybook_rebuild_of_may", "", "x" * 64, "order"],
)
async def test_a_name_that_is_reserved_or_needs_quotes_is_refused(settings: Settings, log: Logbook, name: str) -> None:
    refused = await run(settings, "--as-of", "0.0", "--from", "audit_log", "--schema", name)
    assert (refused.code, refused.stdout) == (2, "")
    assert "is no name for the schema" in refused.stderr


async def test_a_login_needs_the_right_to_make_a_schema(settings: Settings, pool: Pool, log: Logbook) -> None:
    made = ("--as-of", "0.9", "--from", "audit_log")
    async with granted(settings) as roles:
        own = settings.model_copy(update={"database_url": roles.url("projector")})
        user, database = roles.role("projector"), await pool.fetchval("SELECT current_database()")
        grant = f'GRANT CREATE ON DATABASE "{database}" TO "{user}"'
        refused = await run(own, *made)
        assert (refused.code, refused.stdout) == (2, "")
        assert refused.stderr == (
            f"could not replay: {user} may not make schemas in this database: {grant}, or use a login that may\n"
        )
        assert (await run(own, *made, "--diff")).code == 0
        await pool.execute(grant)
        assert (await run(own, *made)).code == 0
        assert await names(pool) == ["a", "a"]


async def test_default_privileges_give_nobody_access_to_the_schema(
    settings: Settings, pool: Pool, log: Logbook
) -> None:
    await pool.execute("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC")
    assert (await run(settings, "--as-of", "0.9", "--from", "audit_log")).code == 0
    assert not await pool.fetchval("SELECT has_schema_privilege('pg_read_all_stats', 'daybook_replay', 'USAGE')")


async def test_the_diff_shows_the_first_changes_and_counts_the_rest(
    settings: Settings, pool: Pool, log: Logbook
) -> None:
    arguments = ("--as-of", before_the_last_two(log), "--from", "audit_log", "--diff")
    shown = await run(settings, *arguments)
    assert (shown.code, shown.stderr) == (0, "")
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["orgs", OTHER_ORG, "changed", "name", "a", "after"] in lines
    assert any(line[:7] == ["org_members", OTHER_ORG, BOB, "added", "role", "member;", "created_at"] for line in lines)
    assert ["audit_log", "2", "0", "0"] in lines
    assert await schemas(pool) == []
    bounded = await run(settings, "--as-of", "0.0", "--from", "audit_log", "--diff", "--limit", "1", "--json")
    found = {table["table"]: table for table in json.loads(bounded.stdout)["tables"]}
    assert (found["orgs"]["added"], len(found["orgs"]["rows"]), found["orgs"]["more"]) == (2, 1, 1)
    assert found["orgs"]["rows"][0]["now"]["name"] == "unknown"
    plain = await run(settings, "--as-of", "0.0", "--from", "audit_log", "--diff", "--limit", "1")
    assert "orgs: 1 more: raise --limit, or narrow with --org" in plain.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--drop", "--as-of", "0.0"),
        *(("--drop", *other) for other in (("--diff",), ("--replace",), ("--limit", "20"), ("--from", "topic"))),
        ("--diff", "--as-of", "0.0", "--replace"),
        ("--diff", "--as-of", "0.0", "--schema", "x"),
        *(("--as-of", "0.0", "--from", "audit_log", *other) for other in (("--json",), ("--limit", "20"))),
        ("--as-of", "0.0", "--from", "tables"),
        ("--as-of", "0.0", "--org", "x"),
        ("--as-of", "yesterday"),
    ],
)
async def test_wrong_usage_exits_with_2_and_makes_nothing(
    settings: Settings, pool: Pool, log: Logbook, arguments: tuple[str, ...]
) -> None:
    refused = await run(settings, *arguments)
    assert (refused.code, refused.stdout) == (2, "")
    assert await schemas(pool) == []


@asynccontextmanager
async def blocked(settings: Settings, pool: Pool, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A replay whose transaction waits for a lock that another session holds."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE secret_refs")
        command = ("audit", "replay", "--as-of", "0.9", "--from", "audit_log")
        process = await start(settings, *command, TMPDIR=str(folder))
        await until(lambda: is_lock_awaited(pool), "the replay waits for the lock")
        assert list_files(folder) != []
        yield process


async def test_an_interrupted_replay_leaves_nothing_behind(
    settings: Settings, pool: Pool, log: Logbook, tmp_path: Path
) -> None:
    async with blocked(settings, pool, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        output = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, *output) == (130, b"", b"interrupted: nothing is left behind\n")
    assert list_files(tmp_path) == []
    assert await schemas(pool) == []


async def test_a_killed_replay_leaves_no_schema(settings: Settings, pool: Pool, log: Logbook, tmp_path: Path) -> None:
    async with blocked(settings, pool, tmp_path) as process:
        process.kill()
        await process.communicate()
    assert await schemas(pool) == []
    assert (await run(settings, "--as-of", "0.9", "--from", "audit_log")).code == 0
