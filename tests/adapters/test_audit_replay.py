"""Replays on real servers: at random moments of a long history, all tables equal the tests' own fold."""

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.source import LOGS, LogName
from daybook_projector.audit.replay.as_of import MalformedMoment
from daybook_projector.audit.replay.schema import DEFAULT_SCHEMA
from support.chain import Json
from support.logbook import Logbook
from support.replaying import diff, past_tables, replay, replayed_tables
from support.row_origins import are_same
from support.tables import COLUMNS, Tables, differences
from support.worker_pools import use_processes

SHARED_DATABASE = True
PARTITIONS = 3
SETTINGS = {"partitions": PARTITIONS}
SEED_OF_LOG = SEED = 11
MOMENTS = 20
COLUMNS_OF = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND c.relname <> 'auth_users'
 ORDER BY c.relname, a.attnum
"""
# In the replay, references and indexes refer to the replay's own schema.
CONSTRAINTS_OF = """
SELECT c.relname, conname,
       replace(replace(pg_get_constraintdef(k.oid), $1 || '.auth_users', 'auth.users'), $1 || '.', '')
  FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
 WHERE c.relnamespace = $1::regnamespace AND c.relname <> 'auth_users' ORDER BY c.relname, conname
"""
INDEXES_OF = """
SELECT tablename, indexname, replace(indexdef, ' ' || $1 || '.', ' ') FROM pg_indexes
 WHERE schemaname = $1 AND tablename <> 'auth_users' ORDER BY indexname
"""
USERS_OF = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint
 WHERE conrelid = ($1 || '.auth_users')::regclass AND contype <> 'n'
"""


class Moment(NamedTuple):
    """`words`: the arguments of --as-of. `positions`: the position of the last entry of each partition."""

    words: tuple[str, ...]
    positions: dict[int, int]


def moments(entries: list[Json], random: Random) -> Iterator[Moment]:
    """A time, a position alone, and a position of every partition, in turn."""
    while True:
        at = random.randrange(len(entries))
        named = entries[at]["metadata_json"]
        until = _positions(entries[: at + 1])
        yield Moment((entries[at]["created_at"],), until)
        yield Moment((f"{named['partition']}.{named['position']}",), until)
        mixed = _positions(entries)
        mixed = {partition: random.randrange(end + 1) for partition, end in mixed.items()}
        yield Moment(tuple(f"{partition}.{position}" for partition, position in mixed.items()), mixed)


def _positions(entries: list[Json]) -> dict[int, int]:
    return {each["metadata_json"]["partition"]: each["metadata_json"]["position"] for each in entries}


def taken(entries: list[Json], moment: Moment) -> list[Json]:
    return [
        entry
        for entry in entries
        if entry["metadata_json"]["position"] <= moment.positions.get(entry["metadata_json"]["partition"], -1)
    ]


async def test_at_random_moments_the_tables_equal_the_tests_own_fold(settings: Settings, entries: list[Json]) -> None:
    random = Random(SEED)
    for number, moment in zip(range(MOMENTS), moments(entries, random), strict=False):
        await replay(settings, *moment.words, log="topic" if number % 2 else "audit_log")
        wrong = differences(past_tables(taken(entries, moment)), await replayed_tables(settings))
        assert not wrong, (moment, wrong)


async def test_at_random_moments_the_rows_of_one_org_equal_the_tests_own_fold(
    settings: Settings, log: Logbook, entries: list[Json]
) -> None:
    random = Random(SEED + 1)
    orgs = sorted({str(entry["org_id"]) for entry in entries if entry["org_id"] is not None})
    for number in range(MOMENTS):
        org_id = random.choice(orgs)
        own = [entry for entry in entries if entry["org_id"] == org_id]
        last = random.randrange(len(own))
        place = own[last]["metadata_json"]
        word = f"{place['partition']}.{place['position']}" if number % 3 else own[last]["created_at"]
        await replay(settings, word, org_id=org_id, log="topic" if number % 2 else "audit_log")
        wrong = differences(past_tables(own[: last + 1], org_id), await replayed_tables(settings))
        assert not wrong, (org_id, word, wrong)


async def test_the_last_position_of_each_partition_gives_the_live_tables(settings: Settings, log: Logbook) -> None:
    """Ids, times and JSON are compared by PostgreSQL."""
    await replay(settings, *(f"{partition}.{head.position}" for partition, head in enumerate(log.heads)))
    async with connect(settings, "test") as connection:
        for name in COLUMNS:
            live, past = name, f"{DEFAULT_SCHEMA}.{name.replace('.', '_')}"
            for one, other in ((live, past), (past, live)):
                found = await connection.fetchval(f"SELECT count(*) FROM (TABLE {one} EXCEPT ALL TABLE {other}) AS d")
                assert found == 0, (one, other)


async def test_the_tables_have_the_columns_keys_and_indexes_of_the_live_ones(settings: Settings) -> None:
    await replay(settings, "0.0")
    async with connect(settings, "test") as connection:
        for query in (COLUMNS_OF, CONSTRAINTS_OF, INDEXES_OF):
            live = [tuple(row) for row in await connection.fetch(query, "public")]
            past = [tuple(row) for row in await connection.fetch(query, DEFAULT_SCHEMA)]
            assert live
            assert past == live
        users = [tuple(row) for row in await connection.fetch(USERS_OF, DEFAULT_SCHEMA)]
    assert users == [("PRIMARY KEY (id)",)]


async def test_a_position_that_is_not_projected_is_refused(settings: Settings, log: Logbook) -> None:
    with pytest.raises(MalformedMoment, match=rf"^0\.{log.heads[0].position + 1} is not projected yet: partition 0"):
        await replay(settings, f"0.{log.heads[0].position + 1}")


async def test_a_future_time_gives_the_present_tables_and_a_note(settings: Settings, entries: list[Json]) -> None:
    found = await replay(settings, "2999-01-01T00:00:00Z")
    assert found.notes == ("2999-01-01T00:00:00.000000Z is in the future: these are the tables as they are now",)
    assert not differences(past_tables(entries), await replayed_tables(settings))


async def test_a_replay_of_one_org_needs_a_position_in_its_partition_and_an_entry_up_to_then(
    settings: Settings, entries: list[Json]
) -> None:
    created = next(entry for entry in entries if entry["action"] == "CREATE_ORG" and entry["result"] == "success")
    home = created["metadata_json"]["partition"]
    with pytest.raises(MalformedMoment, match=rf"give a position in partition {home}, or a time"):
        await replay(settings, f"{(home + 1) % PARTITIONS}.0", org_id=created["org_id"])
    with pytest.raises(DaybookError, match="has no entry up to the given moment"):
        await replay(settings, "2000-01-01T00:00:00Z", org_id=created["org_id"])


@pytest.mark.parametrize("source", LOGS)
async def test_in_several_processes_the_tables_equal_the_tests_own_fold(
    settings: Settings, entries: list[Json], monkeypatch: pytest.MonkeyPatch, source: LogName
) -> None:
    pools = use_processes(monkeypatch)
    at = len(entries) // 2
    await replay(settings, entries[at]["created_at"], log=source)
    assert pools
    assert not differences(past_tables(entries[: at + 1]), await replayed_tables(settings))


async def test_the_diff_has_every_difference_between_then_and_now(settings: Settings, entries: list[Json]) -> None:
    random = Random(SEED + 2)
    orgs = sorted({str(entry["org_id"]) for entry in entries if entry["org_id"] is not None})
    for org_id in (None, None, None, *random.sample(orgs, 3)):
        at = random.randrange(len(entries) // 2, len(entries))
        then, now = past_tables(entries[: at + 1], org_id), past_tables(entries, org_id)
        found = await diff(settings, entries[at]["created_at"], org_id=org_id)
        for name, each in found.items():
            if name == "audit_log":
                assert each.added == len(now[name]) - len(then[name])
            else:
                assert [(row.kind, row.key, row.then, row.now) for row in each.rows] == row_diffs(name, then, now)
                assert each.unlisted == 0
        assert set(found) == set(COLUMNS) - (set() if org_id is None else {"auth.users"})


def row_diffs(name: str, then: Tables, now: Tables) -> list[tuple[Any, ...]]:
    """Kind, key, and the old and new values of the columns that differ, in the order of the keys."""
    columns, found = COLUMNS[name][1], list[tuple[Any, ...]]()
    for key in sorted(then[name].keys() | now[name].keys()):
        old, new = then[name].get(key), now[name].get(key)
        one = None if old is None else dict(zip(columns, old, strict=True))
        other = None if new is None else dict(zip(columns, new, strict=True))
        if one is None or other is None:
            found.append(("added" if one is None else "removed", key, one, other))
        elif names := [column for column in columns if not are_same(one[column], other[column])]:
            found.append(("changed", key, {c: one[c] for c in names}, {c: other[c] for c in names}))
    return found
