"""Reading an exported folder: the lines do not depend on the manifest."""

from hashlib import sha256
from pathlib import Path

import pytest

from daybook_contracts.log.head import GENESIS, Head
from daybook_projector.audit.log import export as export_module
from daybook_projector.audit.log.export import ExportLog, ExportUnreadable, Line
from daybook_projector.audit.log.place import SourceRecord
from support.listed_log import a_log, listed, write_export


async def read(folder: Path, partition: int, after: Head = GENESIS, until: int = 100) -> list[SourceRecord]:
    return [record async for page in ExportLog(folder).read(partition, after, until) for record in page]


def lines(folder: Path) -> list[Line]:
    return [line for page in ExportLog(folder).lines(0) for line in page]


def write_lines(folder: Path, content: bytes) -> Path:
    (folder / "partition-0000.jsonl").write_bytes(content)
    return folder


async def test_an_exported_log_is_read_back(tmp_path: Path) -> None:
    source = listed(a_log())
    await write_export(tmp_path, source)
    log = ExportLog(tmp_path)
    assert log.partitions() == [0, 1, 3]
    assert log.manifest() == (tmp_path / "manifest.json").read_bytes()
    for partition, records in enumerate(source.partitions):
        assert await read(tmp_path, partition) == records


async def test_a_part_of_the_log_is_read(tmp_path: Path) -> None:
    source = listed(a_log())
    await write_export(tmp_path, source)
    assert await read(tmp_path, 1, Head(0, ""), 2) == source.partitions[1][1:3]


async def test_the_manifest_is_not_needed_to_read_lines(tmp_path: Path) -> None:
    source = listed(a_log())
    await write_export(tmp_path, source)
    (tmp_path / "manifest.json").write_bytes(b"{}")
    assert await read(tmp_path, 1) == source.partitions[1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a\nb\n", [Line(b"a", is_ended=True), Line(b"b", is_ended=True)]),
        (b"a\nb", [Line(b"a", is_ended=True), Line(b"b", is_ended=False)]),
        (b"a\r\n\n", [Line(b"a\r", is_ended=True), Line(b"", is_ended=True)]),
    ],
)
def test_only_a_line_feed_ends_a_line(tmp_path: Path, content: bytes, expected: list[Line]) -> None:
    assert lines(write_lines(tmp_path, content)) == expected


@pytest.mark.parametrize("ending", [b"\n", b"\nab\n", b""])
def test_a_line_longer_than_any_entry_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: bytes
) -> None:
    monkeypatch.setattr(export_module, "LONGEST", 8)
    monkeypatch.setattr(export_module, "PAGE_BYTES", 4)
    write_lines(tmp_path, b"12345678\n" + b"x" * 9 + ending)
    digest = sha256()
    found = [line for page in ExportLog(tmp_path).lines(0, digest.update) for line in page]
    assert found[0] == Line(b"12345678", is_ended=True)
    assert found[1] == Line(None, is_ended=bool(ending))
    assert found[2:] == ([Line(b"ab", is_ended=True)] if len(ending) > 1 else [])
    assert digest.digest() == sha256((tmp_path / "partition-0000.jsonl").read_bytes()).digest()


def test_the_longest_line_is_kept_even_without_its_line_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "LONGEST", 8)
    assert lines(write_lines(tmp_path, b"12345678")) == [Line(b"12345678", is_ended=False)]


async def test_a_line_without_a_position_gets_the_position_after_the_previous_one(tmp_path: Path) -> None:
    entry = b'{"metadata_json":{"position":%d}}\n'
    write_lines(tmp_path, entry % 4 + b"garbage\n" + entry % 7 + b"1")
    assert [record.position for record in await read(tmp_path, 0)] == [4, 5, 7, 8]
    assert [record.fault for record in await read(tmp_path, 0)][-1] == "the line has no line feed at its end"


def test_a_folder_without_a_manifest_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ExportUnreadable, match="an incomplete one"):
        ExportLog(tmp_path).manifest()


def test_a_missing_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ExportUnreadable, match="No such file"):
        ExportLog(tmp_path / "none").names()


def test_all_names_except_the_manifest_are_listed_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    for name in ("\U0001f600", "\ue000", ".b", "a", "manifest.json"):
        (tmp_path / name).touch()
    (tmp_path / "partition-0000.jsonl").mkdir()
    assert ExportLog(tmp_path).names() == [".b", "a", "partition-0000.jsonl", "\ue000", "\U0001f600"]
    assert ExportLog(tmp_path).partitions() == []
