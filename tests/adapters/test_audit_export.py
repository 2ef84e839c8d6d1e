"""`daybook audit export` on real servers: both sources give the same bytes, for each entry in the tables.
Over 250 lines, because all tests share one log.
"""

import csv
import json
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import free_json
from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.exports.manifest import check_manifest, file_name
from daybook_projector.audit.verify.export import VerifiedExport, verify_export
from support.logbook import Logbook, log_with, org_in, project, thing, user, user_in
from support.projecting import post, publish, until
from support.shell import Completed, finish, run_daybook, start
from support.taken_ids import plant

PARTITIONS = 4
SETTINGS = {"partitions": PARTITIONS}
SHARED_DATABASE = True
ANN = user_in(0, PARTITIONS)
HERE, THERE = org_in(1, PARTITIONS), org_in(3, PARTITIONS)
PAYLOAD = [
    1e21,
    1e-7,
    5e-324,
    1.7976931348623157e308,
    -0.5,
    123456789012345680000.0,
    "\u20ac\x7f\n\U0001f600",
    {"\ue000": 1},
]
WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND application_name = 'daybook-audit' AND datname = current_database()
"""


def a_log() -> Logbook:
    """Successes, failures and voids in three of the partitions, with data that other JSON writers write differently."""
    log = log_with(HERE, THERE, users=[ANN], partitions=PARTITIONS)
    log.add(HERE, ANN, facts.ProjectCreated(name="=1+1", project_id=project(1)))
    log.void(1)
    log.add(
        HERE,
        ANN,
        facts.ConnectionCreated(
            config=free_json({}), connection_id=thing(1), name="c", project_id=project(1), type="other"
        ),
    )
    log.add(
        HERE,
        None,
        facts.DlqEventRecorded(connection_id=thing(1), dlq_event_id=thing(2), payload=free_json(PAYLOAD)),
    )
    log.refuse(THERE, ANN, "ADD_MEMBER", ANN, {"user_id": ANN})
    log.void(3)
    log.refuse_outsider(THERE, None, "RENAME_ORG", THERE, {"actor_user_id": user(99)})
    return log


LATER = a_log()
"""The log in the topic. It has one more entry than the tables."""
LATER.add(THERE, ANN, facts.OrgRenamed(name="later"))


@pytest.fixture
async def log(settings: Settings, pool: Pool) -> Logbook:
    """The part of the log that is in the tables."""
    if not any(LATER.published):
        await publish(settings, LATER)
    projected = a_log()
    assert await post(pool, projected) == []
    return projected


def entries(log: Logbook, partition: int) -> list[bytes]:
    return [value for value in log.records[partition] if value is not None and value != b"garbage"]


def content(values: Iterable[bytes]) -> bytes:
    return b"".join(b"%b\n" % value for value in values)


def files(folder: Path) -> dict[str, bytes]:
    """All files except the manifest."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def manifest(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_bytes())


async def verified(folder: Path) -> VerifiedExport:
    return await verify_export(folder, lambda _total, _word: nullcontext(lambda _done: None))


async def export(settings: Settings, folder: Path, *arguments: str) -> Completed:
    return await run_daybook(settings, "audit", "export", str(folder), *arguments)


async def test_both_sources_give_the_projected_log_byte_for_byte(
    settings: Settings, log: Logbook, tmp_path: Path
) -> None:
    assert content(entries(log, 3)) != content(entries(LATER, 3))
    expected = {file_name(number): content(entries(log, number)) for number in (0, 1, 3)}
    for source in ("topic", "audit_log"):
        done = await export(settings, tmp_path / source, "--from", source)
        assert (done.code, done.stderr) == (0, "")
        assert done.stdout == f"entries 8, files 3, in {tmp_path / source}\n"
        assert files(tmp_path / source) == expected
        assert (await verified(tmp_path / source)).findings == ()
        checked = check_manifest((tmp_path / source / "manifest.json").read_bytes())
        assert checked.findings == ()
        assert checked.manifest is not None
        assert (checked.manifest.source, checked.manifest.filter) == (source, None)
    assert manifest(tmp_path / "topic")["files"] == manifest(tmp_path / "audit_log")["files"]


@pytest.mark.parametrize(
    ("arguments", "filter_", "kept"),
    [
        (("--org", THERE), {"org_id": THERE}, {3: [0, 1, 2]}),
        (("--result", "failure"), {"results": ["failure"]}, {3: [1, 2]}),
        (("--action", "CREATE_ORG", "--action", "REGISTER_USER"), {"actions": ["CREATE_ORG", "REGISTER_USER"]}, None),
        (("--until", "2026-01-01T02:00:00+02:00"), {"until": "2026-01-01T00:00:00.000000Z"}, {}),
        (
            ("--since", "2026-01-01T00:00:00Z", "--org", HERE),
            {"since": "2026-01-01T00:00:00.000000Z", "org_id": HERE},
            {1: [0, 1, 2, 3]},
        ),
    ],
)
async def test_an_export_can_be_filtered(
    settings: Settings,
    log: Logbook,
    tmp_path: Path,
    arguments: tuple[str, ...],
    filter_: dict[str, Any],
    kept: dict[int, list[int]] | None,
) -> None:
    chosen = {0: [0], 1: [0], 3: [0]} if kept is None else kept
    assert (await export(settings, tmp_path, *arguments)).code == 0
    assert manifest(tmp_path)["filter"] == filter_
    assert (await verified(tmp_path)).findings == ()
    assert files(tmp_path) == {
        file_name(number): content(entries(log, number)[at] for at in positions) for number, positions in chosen.items()
    }


async def test_a_csv_or_parquet_copy_has_every_entry(settings: Settings, log: Logbook, tmp_path: Path) -> None:
    for format_ in ("csv", "parquet"):
        assert (await export(settings, tmp_path / format_, "--format", format_)).code == 0
        assert manifest(tmp_path / format_)["kind"] == "daybook-copy"
    for partition in (0, 1, 3):
        with (tmp_path / "csv" / f"partition-{partition:04d}.csv").open(newline="") as file:
            texts = list(csv.DictReader(file))
        rows = parquet.read_table(tmp_path / "parquet" / f"partition-{partition:04d}.parquet").to_pylist()
        expected: Any = [parse_as_ecmascript(value.decode()) for value in entries(log, partition)]
        for found in (texts, rows):
            assert [row["id"] for row in found] == [entry["id"] for entry in expected]
            data = [canonical_bytes(entry["metadata_json"]["data"]).decode() for entry in expected]
            assert [row["data"] for row in found] == data


async def test_entries_are_exported_under_their_first_ids(settings: Settings, pool: Pool, tmp_path: Path) -> None:
    """Even if their rows have the second ids, because other rows have the first ones."""
    log = a_log()
    taken = [json.loads(value)["id"] for value in (entries(log, 1)[1], entries(log, 3)[2])]
    for id_ in taken:
        await plant(pool, id_)
    assert await post(pool, log) == []
    rows = await pool.fetch("SELECT id::text FROM audit_log WHERE metadata_json ? 'position'")
    assert not {row[0] for row in rows} & set(taken)
    assert (await export(settings, tmp_path)).code == 0
    assert files(tmp_path) == {file_name(number): content(entries(log, number)) for number in (0, 1, 3)}


async def test_a_redacted_entry_is_exported_without_its_data(
    settings: Settings, pool: Pool, log: Logbook, tmp_path: Path
) -> None:
    redacted: Any = parse_as_ecmascript(entries(log, 1)[3].decode())
    redacted["metadata_json"] |= {"data": None, "salt": None}
    async with altering(pool):
        await pool.execute(
            'UPDATE audit_log SET metadata_json = metadata_json || \'{"data": null, "salt": null}\' WHERE id = $1',
            redacted["id"],
        )
    assert (await export(settings, tmp_path)).code == 0
    expected = [*entries(log, 1)[:3], canonical_bytes(redacted)]
    assert files(tmp_path)[file_name(1)] == content(expected)
    report = await verified(tmp_path)
    assert (report.findings, report.redacted) == ((), [redacted["id"]])


@asynccontextmanager
async def altering(pool: Pool) -> AsyncIterator[None]:
    """Lets the block change rows of audit_log, which only the table's owner can do."""
    await pool.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only")
    yield
    await pool.execute("ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only")


@pytest.mark.parametrize(
    ("position", "fault"), [(1, "entry 1.1 is missing: 2 comes next"), (3, "the entries of partition 1 end before 1.3")]
)
async def test_an_entry_missing_from_the_table_makes_the_export_fail(
    settings: Settings, pool: Pool, log: Logbook, tmp_path: Path, position: int, fault: str
) -> None:
    async with altering(pool):
        await pool.execute("DELETE FROM audit_log WHERE id = $1", json.loads(entries(log, 1)[position])["id"])
    done = await export(settings, tmp_path)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == f"Error: {fault}; run `daybook audit verify` for details\n"
    assert not (tmp_path / "manifest.json").exists()


async def test_a_time_that_no_entry_can_have_makes_the_export_fail(
    settings: Settings, pool: Pool, log: Logbook, tmp_path: Path
) -> None:
    async with altering(pool):
        await pool.execute(
            "UPDATE audit_log SET created_at = '20000-01-01T00:00:00Z' WHERE id = $1",
            json.loads(entries(log, 3)[1])["id"],
        )
    done = await export(settings, tmp_path)
    assert done.code == 1
    assert "entry 3.1" in done.stderr
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130), (signal.SIGINT, 130)]
)
async def test_an_export_that_a_signal_ends_leaves_no_files(
    settings: Settings, pool: Pool, log: Logbook, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    async def is_waiting() -> bool:
        return bool(await pool.fetchval(WAITING))

    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE audit_log")
        process = await start(settings, "audit", "export", str(tmp_path / "out"))
        await until(is_waiting, "the export waits for the table")
        process.send_signal(number)
        done = await finish(process)
    assert done.code == code
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_folder_that_is_not_empty_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    done = await export(settings, tmp_path)
    assert (done.code, done.stderr) == (1, f"Error: {tmp_path} is not empty: name a new or an empty folder\n")


async def test_a_time_without_an_offset_is_refused(settings: Settings, tmp_path: Path) -> None:
    done = await export(settings, tmp_path, "--since", "2026-11-22T15:10:13")
    assert done.code == 2
    assert "is not a time with its offset" in " ".join(done.stderr.split())
