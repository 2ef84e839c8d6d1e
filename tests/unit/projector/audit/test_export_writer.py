"""Exported folders contain the bytes of the entries and, written last, a manifest that describes them. A missing entry
is an error.
"""

import csv
import json
import resource
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from pyarrow import parquet

from daybook_contracts.log.head import Head
from daybook_infra.runtime.errors import KafkaAway
from daybook_projector.audit.exports.csv_file import CsvFile
from daybook_projector.audit.exports.entry_filter import EntryFilter
from daybook_projector.audit.exports.exporting import Incomplete
from daybook_projector.audit.exports.manifest import check_manifest
from daybook_projector.audit.exports.parquet_file import ParquetFile, ParquetMissing
from daybook_projector.audit.exports.tabular import COLUMNS
from daybook_projector.audit.exports.writer import ExportUnwritable
from daybook_projector.audit.log.place import SourceRecord
from support.listed_log import EMPTY, MADE_AT, PARTITIONS, ListedLog, a_log, listed, write_export
from support.logbook import org_in

HERE = org_in(1, PARTITIONS)


def values(source: ListedLog, partition: int) -> list[bytes]:
    return [record.value or b"" for record in source.partitions[partition]]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_each_partition_is_a_file_of_its_entries(tmp_path: Path) -> None:
    source = listed(a_log())
    manifest, findings = check_manifest(await write_export(tmp_path / "out", source))
    assert findings == ()
    assert manifest is not None
    assert (manifest.made_at, manifest.source, manifest.filter) == (MADE_AT, "topic", None)
    assert [file.partition for file in manifest.files] == [0, 1, 3]
    assert names(tmp_path / "out") == ["manifest.json", *(file.name for file in manifest.files)]
    for file in manifest.files:
        content = (tmp_path / "out" / file.name).read_bytes()
        assert content.splitlines() == values(source, file.partition)
        assert content.endswith(b"\n")
        assert (file.first, file.last, file.entries) == (0, source.cut[file.partition], source.cut[file.partition] + 1)
        assert file.sha256 == sha256(content).hexdigest()


async def test_the_manifest_that_is_returned_is_the_one_in_the_folder(tmp_path: Path) -> None:
    assert await write_export(tmp_path, listed(a_log())) == (tmp_path / "manifest.json").read_bytes()


async def test_the_export_of_an_empty_log_has_only_a_manifest(tmp_path: Path) -> None:
    manifest, _ = check_manifest(await write_export(tmp_path, ListedLog([[], []])))
    assert manifest is not None
    assert manifest.files == ()
    assert names(tmp_path) == ["manifest.json"]


@pytest.mark.parametrize("name", ["manifest.json", ".hidden"])
async def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("kept")
    with pytest.raises(ExportUnwritable, match="not empty"):
        await write_export(tmp_path, listed(a_log()))
    assert (tmp_path / name).read_text() == "kept"


async def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportUnwritable, match="file"):
        await write_export(tmp_path / "file", listed(a_log()))


async def test_others_cannot_read_an_export(tmp_path: Path) -> None:
    await write_export(tmp_path / "out", listed(a_log()))
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


async def test_a_missing_entry_makes_the_export_fail(tmp_path: Path) -> None:
    source = listed(a_log())
    source.partitions[1].pop(1)
    with pytest.raises(Incomplete, match=r"entry 1\.1 is missing: 2 comes next"):
        await write_export(tmp_path, source)
    assert not (tmp_path / "manifest.json").exists()


async def test_a_log_that_ends_before_the_cut_makes_the_export_fail(tmp_path: Path) -> None:
    source = listed(a_log())

    class Shorter(ListedLog):
        @property
        def cut(self) -> dict[int, int]:
            return source.cut | {EMPTY: 0}

    with pytest.raises(Incomplete, match=r"end before 2\.0"):
        await write_export(tmp_path, Shorter(source.partitions))
    assert not (tmp_path / "manifest.json").exists()


async def test_an_entry_without_its_bytes_makes_the_export_fail(tmp_path: Path) -> None:
    source = listed(a_log())
    broken = source.partitions[3][2]._replace(fault="its time is no time")
    source.partitions[3][2] = broken
    with pytest.raises(Incomplete, match=r"3\.2 cannot be exported: its time is no time"):
        await write_export(tmp_path, source)
    assert not (tmp_path / "manifest.json").exists()


async def test_an_export_that_fails_has_no_manifest(tmp_path: Path) -> None:
    class Failing(ListedLog):
        async def read(self, partition: int, after: Head, until: int) -> AsyncIterator[list[SourceRecord]]:
            async for page in ListedLog.read(self, partition, after, until):
                yield page
                if partition == 1:
                    raise KafkaAway("gone")

    with pytest.raises(KafkaAway):
        await write_export(tmp_path, Failing(listed(a_log()).partitions))
    assert names(tmp_path) == ["partition-0000.jsonl", "partition-0001.jsonl"]


async def test_a_file_that_cannot_grow_is_named(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(ExportUnwritable, match=r"partition-0001\.jsonl cannot be written: File too large"):
            await write_export(tmp_path, listed(a_log()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (EntryFilter(org_id=HERE), {1: [0, 1, 2, 3]}),
        (EntryFilter(results=frozenset({"failure"})), {1: [2], 3: [2]}),
        (EntryFilter(actions=frozenset({"CREATE_ORG", "RENAME_ORG"})), {1: [0, 3], 3: [0, 3]}),
        (EntryFilter(org_id=HERE, actions=frozenset({"CREATE_ORG"})), {1: [0]}),
        (EntryFilter(org_id=org_in(0, PARTITIONS)), {}),
    ],
)
async def test_a_filter_chooses_entries(tmp_path: Path, chosen: EntryFilter, expected: dict[int, list[int]]) -> None:
    source = listed(a_log())
    manifest, _ = check_manifest(await write_export(tmp_path, source, chosen))
    assert manifest is not None
    assert manifest.filter == chosen.as_json()
    found = {file.partition: (tmp_path / file.name).read_bytes().splitlines() for file in manifest.files}
    assert found == {number: [values(source, number)[at] for at in kept] for number, kept in expected.items()}
    assert {file.partition: (file.first, file.last, file.entries) for file in manifest.files} == {
        number: (kept[0], kept[-1], len(kept)) for number, kept in expected.items()
    }


def test_a_time_span_includes_its_start_and_excludes_its_end() -> None:
    entries = values(listed(a_log()), 1)
    times = [json.loads(value)["created_at"] for value in entries]
    chosen = EntryFilter(since=times[1], until=times[3])
    assert [chosen.meets(value) for value in entries] == [False, True, True, False]


def test_an_entry_without_a_column_meets_no_criterion_for_that_column() -> None:
    entry = b'{"metadata_json":{}}'
    criteria = (EntryFilter(org_id=HERE), EntryFilter(since=MADE_AT), EntryFilter(until=MADE_AT))
    assert not any(each.meets(entry) for each in criteria)
    assert EntryFilter().meets(entry)


def test_the_filter_in_the_manifest_lists_the_criteria() -> None:
    chosen = EntryFilter(actions=frozenset({"B", "A"}), since=MADE_AT)
    assert chosen.as_json() == {"actions": ["A", "B"], "since": MADE_AT}
    assert EntryFilter().as_json() is None


async def test_csv_has_a_row_for_each_entry_and_no_formula(tmp_path: Path) -> None:
    source = listed(a_log())
    source.partitions[1][3] = replaced_action(source, "=1+1")
    await write_export(tmp_path, source, encoder=CsvFile, ending="csv")
    with (tmp_path / "partition-0001.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["position"] for row in rows] == ["0", "1", "2", "3"]
    assert tuple(rows[0]) == COLUMNS
    assert rows[3]["action"] == "'=1+1"
    assert rows[2]["error_code"] == "FORBIDDEN"
    assert json.loads(rows[0]["data"]) == {"name": "a"}
    assert rows[0]["org_id"] == HERE
    assert rows[0]["project_id"] == ""


def replaced_action(source: ListedLog, action: str) -> SourceRecord:
    record = source.partitions[1][3]
    return record._replace(value=(record.value or b"").replace(b'"RENAME_ORG"', json.dumps(action).encode()))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
async def test_no_csv_cell_begins_like_a_formula(tmp_path: Path, start: str) -> None:
    source = listed(a_log())
    source.partitions[1][3] = replaced_action(source, f"{start}1")
    await write_export(tmp_path, source, encoder=CsvFile, ending="csv")
    with (tmp_path / "partition-0001.csv").open(newline="") as file:
        assert list(csv.DictReader(file))[3]["action"] == f"'{start}1"


async def test_parquet_has_a_row_for_each_entry(tmp_path: Path) -> None:
    source = listed(a_log())
    await write_export(tmp_path, source, encoder=ParquetFile, ending="parquet")
    rows = parquet.read_table(tmp_path / "partition-0001.parquet").to_pylist()
    entries = [json.loads(value) for value in values(source, 1)]
    assert [row["position"] for row in rows] == [0, 1, 2, 3]
    assert [row["id"] for row in rows] == [entry["id"] for entry in entries]
    assert [row["hash"] for row in rows] == [entry["metadata_json"]["hash"] for entry in entries]
    assert [f"{row['created_at']:%Y-%m-%dT%H:%M:%S.%fZ}" for row in rows] == [entry["created_at"] for entry in entries]
    assert [json.loads(row["data"]) for row in rows] == [entry["metadata_json"]["data"] for entry in entries]


async def test_the_manifest_of_a_table_describes_its_files(tmp_path: Path) -> None:
    manifest = json.loads(await write_export(tmp_path, listed(a_log()), encoder=ParquetFile, ending="parquet"))
    assert (manifest["kind"], manifest["format"]) == ("daybook-copy", "parquet")
    for file in manifest["files"]:
        assert file["sha256"] == sha256((tmp_path / file["name"]).read_bytes()).hexdigest()


async def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParquetMissing, match=r"daybook-projector\[parquet\]"):
        await write_export(tmp_path, listed(a_log()), encoder=ParquetFile, ending="parquet")


async def test_a_value_of_another_type_than_its_column_is_kept_as_json(tmp_path: Path) -> None:
    source = listed(a_log())
    record = source.partitions[1][3]
    odd = (record.value or b"").replace(b'"RENAME_ORG"', b'["x"]').replace(b'"created_at":"', b'"created_at":"no ')
    source.partitions[1][3] = record._replace(value=odd)
    await write_export(tmp_path, replace(source, page=1), encoder=ParquetFile, ending="parquet")
    row = parquet.read_table(tmp_path / "partition-0001.parquet").to_pylist()[3]
    assert (row["action"], row["created_at"]) == ('["x"]', None)
