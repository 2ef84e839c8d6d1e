"""`daybook audit explain` on real servers. For random rows of a long history, it names the same entries as the tests'
own fold. Other tests check where it searches and what it prints.
"""

import asyncio
import json
from functools import partial
from random import Random

import pytest
from click.testing import CliRunner

from daybook_infra.operations.cli import main
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.explain.row_name import read_row_name
from daybook_projector.audit.explain.run import Explained, explain_row
from daybook_projector.audit.explain.trace import shown
from daybook_projector.audit.log.source import LogName
from support.auditing import silent
from support.chain import Json, partition_of
from support.processes import environment
from support.row_origins import Origins, RowKey, row_origins
from support.shell import Completed

SHARED_DATABASE = True
PARTITIONS = 3
SETTINGS = {"partitions": PARTITIONS}
SEED_OF_LOG = SEED = 12
PARTS = 4
ROWS, GONE = 200, 40
"""How many rows are chosen, and how many of them no longer exist."""
NOBODY = "00000000-0000-4000-8000-0000000000ee"


@pytest.fixture(scope="module")
def rows(entries: list[Json]) -> dict[RowKey, Origins]:
    return row_origins(entries)


async def explained(settings: Settings, row: RowKey, log: LogName = "audit_log") -> Explained:
    return await explain_row(settings, read_row_name(row[0], row[1]), None, log, silent)


def found_origins(found: Explained) -> Origins:
    history, table = found.history, found.name.projection
    row = history.row or history.last_row or {}
    columns = {
        column: (shown(table, column, row[column]), history.steps[at].place) for column, at in history.origins.items()
    }
    places = [step.place for step in history.steps if step.deed != "unchanged"]
    return Origins(history.row is not None, places, columns)


def some_rows(rows: dict[RowKey, Origins], random: Random) -> list[RowKey]:
    gone = random.sample([row for row, each in rows.items() if not each.exists], GONE)
    return gone + random.sample([row for row, each in rows.items() if each.exists], ROWS - GONE)


@pytest.mark.parametrize("part", range(PARTS))
async def test_each_column_of_random_rows_was_set_by_the_entry_that_the_tests_own_fold_names(
    settings: Settings, rows: dict[RowKey, Origins], part: int
) -> None:
    for number, row in enumerate(some_rows(rows, Random(SEED))[part::PARTS]):
        found = await explained(settings, row, "audit_log" if number % 10 else "topic")
        assert found_origins(found) == rows[row], row
        assert found.is_live_same
        assert len(found.search.partitions) == 1, found.search


async def run(settings: Settings, *arguments: str) -> Completed:
    command = partial(CliRunner().invoke, main, ["audit", "explain", *arguments], env=environment(settings))
    result = await asyncio.to_thread(command)
    return Completed(result.exit_code, result.stdout, result.stderr)


def a_row(rows: dict[RowKey, Origins], table: str, *, exists: bool = True) -> RowKey:
    """The row with the longest history in this table."""
    chosen = {row: each for row, each in rows.items() if row[0] == table and each.exists == exists}
    return max(chosen, key=lambda row: len(chosen[row].places))


@pytest.mark.parametrize("table", ["dlq_events", "sync_runs", "integration_alerts", "secret_refs"])
async def test_the_org_of_a_deleted_row_is_found_in_audit_log(
    settings: Settings, rows: dict[RowKey, Origins], table: str
) -> None:
    row = a_row(rows, table, exists=False)
    found = await explained(settings, row)
    assert "found in audit_log" in found.search.how
    assert found_origins(found) == rows[row]


async def test_the_org_option_limits_the_search_to_the_orgs_partition(
    settings: Settings, rows: dict[RowKey, Origins], entries: list[Json]
) -> None:
    _, (run_id,) = a_row(rows, "sync_runs")
    org_id = next(each["org_id"] for each in entries if each["entity_id"] == run_id)
    name = read_row_name("sync_runs", [run_id])
    found = await explain_row(settings, name, org_id, "audit_log", silent)
    assert found.search.how == f"partition {partition_of(org_id, PARTITIONS)} of org {org_id}, given with --org"
    assert found.history.row is not None


async def test_a_wrong_org_is_not_taken_for_tampering(settings: Settings, rows: dict[RowKey, Origins]) -> None:
    _, (org_id,) = a_row(rows, "orgs")
    arguments = ("orgs", org_id, "--org", NOBODY, "--from", "audit_log")
    told, printed = await run(settings, *arguments), await run(settings, *arguments, "--json")
    place = f"partition {partition_of(NOBODY, PARTITIONS)} of org {NOBODY}, given with --org"
    no_entry = f"no entry made a row public.orgs {org_id} (read: {place}, from audit_log)\n"
    assert told == Completed(1, "", no_entry)
    assert (printed.code, printed.stderr, json.loads(printed.stdout)["live_row_agrees"]) == (1, no_entry, None)


async def test_a_row_that_no_entry_made_is_searched_in_all_partitions(settings: Settings) -> None:
    missing = await run(settings, "dlq_events", NOBODY, "--from", "audit_log")
    assert (missing.code, missing.stdout) == (1, "")
    assert missing.stderr == (
        f"no entry made a row public.dlq_events {NOBODY} "
        "(read: all partitions, as its org is not known, from audit_log)\n"
    )


async def test_a_row_of_users_is_explained_by_the_registration(settings: Settings, rows: dict[RowKey, Origins]) -> None:
    _, (user_id,) = a_row(rows, "auth.users")
    shown = await run(settings, "auth.users", user_id)
    assert shown.code == 0
    assert f"read: partition {partition_of(user_id, PARTITIONS)}, the user's own, from topic, up to" in shown.stdout
    assert "REGISTER_USER" in shown.stdout


async def test_the_output_names_position_time_actor_action_and_command(
    settings: Settings, rows: dict[RowKey, Origins], entries: list[Json]
) -> None:
    row = a_row(rows, "source_connections")
    by_place = {f"{e['metadata_json']['partition']}.{e['metadata_json']['position']}": e for e in entries}
    shown = await run(settings, *("source_connections", *row[1]), "--from", "audit_log")
    printed = await run(settings, *("public.source_connections", *row[1]), "--from", "audit_log", "--json")
    assert (shown.code, shown.stderr, printed.code, printed.stderr) == (0, "", 0, "")
    found = json.loads(printed.stdout)
    for column, (value, place) in rows[row].columns.items():
        entry, metadata = by_place[place], by_place[place]["metadata_json"]
        assert found["columns"][column] == {
            "value": value,
            "position": place,
            "entry_id": entry["id"],
            "created_at": entry["created_at"],
            "action": entry["action"],
            "actor_user_id": entry["actor_user_id"],
            "principal": metadata["principal"],
            "command_id": metadata["command_id"],
        }
        actor = entry["actor_user_id"] or metadata["principal"]
        line = [place, entry["created_at"], actor, entry["action"], metadata["command_id"]]
        assert any(
            cells[0] == column and cells[-5:] == line for cells in map(str.split, shown.stdout.splitlines()) if cells
        )
    assert [step["position"] for step in found["history"] if step["change"] != "unchanged"] == rows[row].places
    assert (found["exists"], found["live_row_agrees"], found["key"]) == (True, True, list(row[1]))


async def test_the_output_names_the_entry_that_deleted_a_row(settings: Settings, rows: dict[RowKey, Origins]) -> None:
    row = a_row(rows, "dlq_events", exists=False)
    shown = await run(settings, "dlq_events", *row[1], "--from", "audit_log")
    assert shown.code == 0
    assert (
        f"the row is gone: cascaded by {rows[row].places[-1]} DELETE_CONNECTION (with source_connections "
        in shown.stdout
    )


async def test_a_live_row_that_differs_from_the_log_gets_a_note(
    settings: Settings, rows: dict[RowKey, Origins]
) -> None:
    row = a_row(rows, "orgs")
    async with connect(settings, "test") as connection:
        await connection.execute("UPDATE orgs SET name = name || '!' WHERE id = $1", row[1][0])
        noted = await run(settings, "orgs", *row[1], "--from", "audit_log")
        await connection.execute("UPDATE orgs SET name = left(name, -1) WHERE id = $1", row[1][0])
    assert (noted.code, noted.stderr) == (
        0,
        "note: the live row is not what the log says: run `daybook audit verify`\n",
    )
    assert "!" not in noted.stdout


async def test_a_row_is_found_even_if_its_live_row_names_the_wrong_org(
    settings: Settings, rows: dict[RowKey, Origins]
) -> None:
    """Somebody has moved the secret reference to an org in another partition."""
    row = a_row(rows, "secret_refs")
    async with connect(settings, "test") as connection:
        home = await connection.fetchval("SELECT org_id::text FROM secret_refs WHERE id = $1", row[1][0])
        others = [str(each[0]) for each in await connection.fetch("SELECT id FROM orgs")]
        away = next(org for org in others if partition_of(org, PARTITIONS) != partition_of(home, PARTITIONS))
        move = "UPDATE secret_refs SET org_id = $1, key_name = key_name || $3 WHERE id = $2"
        await connection.execute(move, away, row[1][0], "!")
        found = await explained(settings, row)
        await connection.execute(
            "UPDATE secret_refs SET org_id = $1, key_name = left(key_name, -1) WHERE id = $2", home, row[1][0]
        )
    assert found.search.partitions == tuple(range(PARTITIONS))
    assert found_origins(found) == rows[row]
    assert not found.is_live_same


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("orgs",), "Missing argument 'KEY...'"),
        (("orgs", "x"), "id 'x' is not an id"),
        (("tables", NOBODY), "there is no table tables"),
        (("orgs", NOBODY, "--org", "x"), "is not a valid UUID"),
    ],
)
async def test_wrong_usage_exits_with_2(settings: Settings, arguments: tuple[str, ...], advice: str) -> None:
    refused = await run(settings, *arguments)
    assert (refused.code, refused.stdout) == (2, "")
    assert advice in refused.stderr
