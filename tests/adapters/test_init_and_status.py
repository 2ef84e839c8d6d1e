"""The output of `daybook init` and `daybook status` against real servers."""

import asyncio
import json
from uuid import uuid4

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.kafka.clients import producer
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.postgres.migrations import read_migrations
from daybook_infra.runtime.settings import Settings
from support.shell import invoke
from support.stack import FreshSettings

ORG = "00000000-0000-4000-8000-00000000000a"
SETTINGS = {"init": False, "partitions": 3}
CHECKPOINT = """
INSERT INTO daybook.checkpoints (partition, next_offset, position, hash, head_offset) VALUES (1, 2, 1, 'x', 1)
"""
FAULT = "the record at offset 1 is not entry 1.1, which was there"
QUARANTINE = "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 1, 1, 'version 9 [red]')"


async def _publish_three_entries_and_project_two(settings: Settings) -> None:
    writer = producer(settings, "test")
    await writer.start()
    for value in (b"a", b"b", b"c"):
        await writer.send_and_wait(f"{settings.topic_prefix}audit_log", value, partition=1)
    await writer.send_and_wait(f"{settings.topic_prefix}commands", b"d", partition=2)
    await writer.stop()
    async with connect(settings, "test") as connection:
        await connection.execute(CHECKPOINT)
        await connection.execute(QUARANTINE, ORG)


def test_init_prints_what_it_did_and_then_that_there_is_nothing_to_do(settings: Settings) -> None:
    first, second = invoke(settings, "init"), invoke(settings, "init")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.splitlines() == [
        *(
            f"topics: {settings.topic_prefix}{name} made"
            for name in ("commands", "audit_log", "results", "commands.dlq")
        ),
        *(f"migrations: {migration.name} applied" for migration in read_migrations()),
    ]
    assert second.stdout == "topics: nothing to do\nmigrations: nothing to do\n"


def test_init_makes_the_logins_for_which_it_has_a_password(fresh_settings: FreshSettings) -> None:
    made = invoke(fresh_settings(partitions=1), "init")
    assert (made.exit_code, made.stdout.splitlines()[2:]) == (
        0,
        ["logins: daybook_command_login made or updated", "logins: daybook_projector_login made or updated"],
    )


def test_init_prints_the_statements_that_it_may_not_run(settings: Settings) -> None:
    async def revoke() -> None:
        async with connect(settings, "test") as connection:
            await connection.execute("REVOKE SELECT (id) ON auth.users FROM daybook_command")

    invoke(settings, "init")
    asyncio.run(revoke())
    assert invoke(settings, "init").stdout.splitlines()[2:] == [
        "roles: an administrator has to run these statements, and then `daybook init` again:",
        "  GRANT SELECT (id) ON auth.users TO daybook_command;",
    ]


@pytest.mark.parametrize("lacking", ["the schema", "the logins"])
def test_init_creates_no_topic_if_rights_are_missing_in_the_database(settings: Settings, lacking: str) -> None:
    address = settings.database_url.get_secret_value().rpartition("@")[2]
    role, database = f"r{uuid4().hex[:8]}", address.rpartition("/")[2]
    rights = f"; GRANT CREATE ON DATABASE {database} TO {role}; GRANT CREATE ON SCHEMA public TO {role}"

    async def execute(statements: str) -> None:
        async with connect(settings, "test") as connection:
            await connection.execute(statements)

    own = {"database_url": SecretStr(f"postgresql://{role}:hush@{address}"), "command_password": SecretStr("hush")}
    asyncio.run(execute(f"CREATE ROLE {role} LOGIN PASSWORD 'hush'" + (rights if lacking == "the logins" else "")))
    refused = invoke(settings.model_copy(update=own), "init")
    asyncio.run(execute(f"DROP OWNED BY {role}; DROP ROLE {role}"))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"Error: PostgreSQL's role {role} lacks rights")
    assert "topics: nothing to do" not in invoke(settings, "init").stdout


def test_status_json_has_positions_lag_quarantine_and_versions(settings: Settings) -> None:
    invoke(settings, "init")
    asyncio.run(_publish_three_entries_and_project_two(settings))
    result = invoke(settings, "status", "--json")
    assert result.exit_code == 0
    status = json.loads(result.stdout)
    assert [each["partition"] for each in status["partitions"]] == [0, 1, 2]
    assert status["partitions"][0]["position"] == -1
    busy, waiting = status["partitions"][1], status["partitions"][2]
    assert (busy["log_end"], busy["projected_end"], busy["log_lag"], busy["position"]) == (3, 2, 1, 1)
    assert (waiting["commands_end"], waiting["commands_done"], waiting["commands_lag"]) == (1, 0, 1)
    assert [each["fault"] for each in status["partitions"]] == [None, FAULT, None]
    assert [(each["org_id"], each["position"]) for each in status["quarantine"]] == [(ORG, "1.1")]
    assert status["versions"]["migrations"] == str(len(read_migrations()))
    assert set(status["versions"]) == {"daybook", "kafka", "postgresql", "migrations"}


def test_status_prints_faults_quarantine_and_lag(settings: Settings) -> None:
    invoke(settings, "init")
    asyncio.run(_publish_three_entries_and_project_two(settings))
    result = invoke(settings, "status")
    assert result.exit_code == 0
    assert f"the log is not the one that was projected, partition 1: {FAULT}\n" in result.stdout
    assert f"in quarantine org {ORG} since 1.1: version 9 [red]\n" in result.stdout
    assert ["1", "0", "0", "3", "1", "1.1"] in [line.split() for line in result.stdout.splitlines()]


def test_status_before_init_says_to_run_it(settings: Settings) -> None:
    result = invoke(settings, "status")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: topic {settings.topic_prefix}commands does not exist: "
        "run `daybook init`, or see docs/disasters.md if it was lost\n"
    )


def test_status_without_a_server_is_one_clear_error(settings: Settings) -> None:
    invoke(settings, "init")
    kafka = invoke(settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}), "status")
    assert (kafka.exit_code, kafka.stderr) == (1, "Error: Kafka is not reachable at 127.0.0.1:1\n")
    nowhere = SecretStr("postgresql://a:b@127.0.0.1:1/c")
    postgres = invoke(settings.model_copy(update={"database_url": nowhere}), "status")
    assert postgres.exit_code == 1
    assert postgres.stderr.startswith("Error: PostgreSQL at 127.0.0.1:1/c is away: ")
    assert len(postgres.stderr.splitlines()) == 1
