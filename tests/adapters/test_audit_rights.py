"""The rights and ACLs in docs/auditing.md are sufficient for the auditors' commands, and each of them is needed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from support.driving import open_database
from support.granted import Granted, granted
from support.guarded_kafka import GuardedKafka, Operation, Resource, guarded_kafka
from support.logbook import Logbook, log_with, org, user
from support.projecting import database, post, publish
from support.recounted import ACTIVITY
from support.shell import finish, invoke, start
from support.stack import FreshSettings
from support.tables import SCHEMA

ORG = org(1)
# Without --scope, verify leaves out a server that it cannot reach.
EVERYTHING = ("--scope", "topic", "--scope", "audit_log", "--scope", "tables")
READING = [
    ("audit", "verify", *EVERYTHING),
    ("audit", "verify", *EVERYTHING, "--org", ORG),
    ("audit", "explain", "orgs", ORG),
    ("audit", "explain", "orgs", ORG, "--from", "audit_log"),
    ("audit", "replay", "--as-of", "0.1", "--diff"),
    ("audit", "replay", "--as-of", "0.1", "--diff", "--from", "audit_log"),
]
# Privileges include those of PUBLIC and of each role that the login is a member of.
PRIVILEGES = """
SELECT format('%I.%I', nspname, relname), has_table_privilege($1, c.oid, 'SELECT'),
       has_table_privilege($1, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege($1, c.oid, 'INSERT, UPDATE, REFERENCES')
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
 WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname IN ('public', 'auth', 'daybook')
"""
BOOKKEEPING = ("daybook.checkpoints", "daybook.quarantine", "daybook.migrations", ACTIVITY)
RIGHTS = [
    *(f"USAGE ON SCHEMA {schema}" for schema in ("public", "auth", "daybook")),
    *(f"SELECT ON {table}" for table in (*SCHEMA, *BOOKKEEPING)),
]


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    return lasting_settings(partitions=1)


@pytest.fixture(scope="module")
def log(settings: Settings) -> Logbook:
    log = log_with(ORG)
    asyncio.run(write(settings, log))
    return log


async def write(settings: Settings, log: Logbook) -> None:
    await publish(settings, log)
    async with database(settings) as pool:
        assert await post(pool, log, managed=settings.users == "managed") == []


@pytest.fixture
async def roles(settings: Settings, log: Logbook) -> AsyncIterator[Granted]:
    async with granted(settings) as roles:
        yield roles


def auditor(roles: Granted) -> Settings:
    return roles.settings.model_copy(update={"database_url": roles.url("auditor")})


async def run(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Runs the command in this process, which is quicker. Returns the exit code and all output."""
    result = await asyncio.to_thread(invoke, settings, *arguments)
    return result.exit_code, result.output


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
async def test_the_auditors_rights_are_sufficient(roles: Granted, arguments: tuple[str, ...]) -> None:
    code, output = await run(auditor(roles), *arguments)
    assert code == 0, output


@pytest.mark.parametrize("source", ["topic", "audit_log"])
async def test_the_auditors_rights_are_sufficient_for_exports(roles: Granted, tmp_path: Path, source: str) -> None:
    code, output = await run(auditor(roles), "audit", "export", str(tmp_path / "export"), "--from", source)
    assert (code, output.splitlines()[-1][:10]) == (0, "entries 2,"), output


async def test_the_auditors_rights_are_sufficient_for_following(roles: Granted) -> None:
    tail = await start(auditor(roles), "audit", "tail", "--after", "0.-1")
    assert tail.stdout is not None
    first = await asyncio.wait_for(tail.stdout.readline(), 30)
    tail.terminate()
    assert (await finish(tail)).code == 0
    assert b" 0.0 success REGISTER_USER " in first


async def test_the_auditor_cannot_write(roles: Granted) -> None:
    rows = await roles.owner.fetch(PRIVILEGES, roles.login("auditor"))
    assert {name.removeprefix("public.") for name, reads, _ in rows if reads} >= {*SCHEMA, *BOOKKEEPING}
    assert [name for name, _, writes in rows if writes] == []


@pytest.mark.parametrize("right", RIGHTS)
async def test_verify_needs_each_of_the_auditors_rights(roles: Granted, right: str) -> None:
    role = roles.role("auditor")
    await roles.owner.execute(f"REVOKE {right} FROM {role}")
    if right.endswith("SCHEMA public"):
        await roles.owner.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    code, output = await run(auditor(roles), "audit", "verify")
    await roles.owner.execute(f"GRANT USAGE ON SCHEMA public TO PUBLIC; GRANT {right} TO {role}")
    assert code == 2, output
    assert "could not check" in output


async def test_verify_needs_a_policy_that_hides_nothing(roles: Granted) -> None:
    await roles.owner.execute(f"CREATE POLICY hiding ON orgs AS RESTRICTIVE TO {roles.role('auditor')} USING (false)")
    code, output = await run(auditor(roles), "audit", "verify")
    await roles.owner.execute("DROP POLICY hiding ON orgs")
    assert (code, "could not check audit_log and the tables: row-level security" in output) == (2, True), output


async def test_with_external_users_no_right_on_schema_auth_is_needed(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(init=False, partitions=1, users="external")
    async with open_database(settings) as owner:
        await owner.execute("CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text)")
        await owner.execute("INSERT INTO auth.users VALUES ($1)", user(1))
    await ensure_topics(settings)
    await migrate(settings)
    await write(settings, log_with(ORG))
    async with granted(settings) as roles:
        role = roles.role("auditor")
        await roles.owner.execute(f"REVOKE ALL ON auth.users FROM {role}; REVOKE ALL ON SCHEMA auth FROM {role}")
        for arguments in READING:
            code, output = await run(auditor(roles), *arguments)
            assert code == 0, output
        code, output = await run(auditor(roles), "audit", "explain", "auth.users", user(1))
        assert (code, output.startswith(f"no entry made a row auth.users {user(1)} ")) == (1, True), output


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedKafka]:
    with guarded_kafka() as started:
        yield started


async def test_the_auditors_acls_are_sufficient_and_each_is_needed(
    guarded: GuardedKafka, settings: Settings, log: Logbook, tmp_path: Path
) -> None:
    reading = guarded.settings(database_url=settings.database_url, topic_prefix=settings.topic_prefix, partitions=1)
    superuser = guarded.superuser(topic_prefix=settings.topic_prefix).model_copy(update={"partitions": 1})
    await ensure_topics(superuser)
    log.published = [0]
    await publish(superuser, log)
    topic, operations = Topics(settings.topic_prefix).audit_log, (Operation.DESCRIBE, Operation.READ)
    await guarded.allow(Resource.TOPIC, topic, *operations)
    for arguments in (*READING, ("audit", "export", str(tmp_path / "export"), "--from", "topic")):
        code, output = await run(reading, *arguments)
        assert code == 0, output
    await guarded.forbid(Resource.TOPIC, topic, Operation.READ)
    for scopes in ((), ("--scope", "topic")):
        code, output = await run(reading, "audit", "verify", *scopes)
        assert (code, "not authorised" in output) == (2, True), output
    await guarded.forbid(Resource.TOPIC, topic, Operation.DESCRIBE)
    code, output = await run(reading, "audit", "verify")
    assert (code, "could not check the topic: " in output) == (2, True), output
    assert output.splitlines()[-1] == "valid: audit_log, tables"
