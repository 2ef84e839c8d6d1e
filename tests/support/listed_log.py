"""A log in memory that serves as a source of entries, and exports made from it."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from daybook_contracts.entries import facts
from daybook_contracts.log.head import Head
from daybook_projector.audit.exports.entry_filter import ALL, EntryFilter
from daybook_projector.audit.exports.exporting import write_files
from daybook_projector.audit.exports.manifest import Manifest
from daybook_projector.audit.exports.writer import Encoder, FolderWriter, HashingFile, JsonLines
from daybook_projector.audit.log.place import NO_OFFSET, SourceRecord
from support.logbook import Logbook, org_in, project, user_in

MADE_AT = "2026-11-22T15:10:13.123456Z"
PARTITIONS = 4
EMPTY = 2
"""The partition that has no entries in `a_log`."""


@dataclass(slots=True)
class ListedLog:
    """`partitions`: each partition's records. Pages have `page` records."""

    partitions: list[list[SourceRecord]]
    page: int = 2

    async def read(self, partition: int, after: Head, until: int) -> AsyncIterator[list[SourceRecord]]:
        wanted = [record for record in self.partitions[partition] if after.position < record.position <= until]
        for start in range(0, len(wanted), self.page):
            yield wanted[start : start + self.page]

    @property
    def cut(self) -> dict[int, int]:
        return {number: len(records) - 1 for number, records in enumerate(self.partitions)}


def a_log() -> Logbook:
    """Two orgs and their owner in different partitions, successes and failures, and two void records."""
    log = Logbook(PARTITIONS)
    ann, here, there = user_in(0, PARTITIONS), org_in(1, PARTITIONS), org_in(3, PARTITIONS)
    log.register(ann)
    for org_id, project_id in ((here, project(1)), (there, project(2))):
        log.add(org_id, ann, facts.OrgCreated(name="a"), facts.ProjectCreated(name="b", project_id=project_id))
        log.void(1)
        log.refuse(org_id, ann, "ADD_MEMBER", ann, {"user_id": ann})
        log.add(org_id, ann, facts.OrgRenamed(name="=cmd|' /C calc'!A0"))
    return log


def listed(log: Logbook) -> ListedLog:
    return ListedLog([_records(number, values) for number, values in enumerate(log.records)])


async def write_export(
    folder: Path,
    source: ListedLog,
    chosen: EntryFilter = ALL,
    encoder: Callable[[HashingFile], Encoder] = JsonLines,
    ending: str = "jsonl",
) -> bytes:
    """Writes an export; returns the bytes of its manifest."""
    with FolderWriter(folder, encoder, ending) as writer:
        files = await write_files(source, source.cut, writer, chosen, ignore_progress)
        return writer.finish(Manifest(MADE_AT, "topic", chosen.as_json(), files), None if ending == "jsonl" else ending)


def ignore_progress(_: int) -> None:
    """Shows no progress."""


def _records(partition: int, values: Sequence[bytes | None]) -> list[SourceRecord]:
    entries = [value for value in values if value is not None and value != b"garbage"]
    return [SourceRecord(partition, position, NO_OFFSET, value) for position, value in enumerate(entries)]
