"""Exports the log: a source and a cut in, a folder out. If the source lacks an entry up to the cut, that is an error,
so no entry is left out silently.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Protocol

from daybook_contracts.log.head import GENESIS, Head
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.exports.entry_filter import ALL, EntryFilter
from daybook_projector.audit.exports.manifest import ExportFile
from daybook_projector.audit.exports.writer import FolderWriter
from daybook_projector.audit.log.place import SourceRecord

Advance = Callable[[int], object]
Cut = Mapping[int, int]
"""The position of the last entry of each partition."""


class Incomplete(DaybookError):
    """The source lacks an entry, or has one that cannot be exported."""


class LogSource(Protocol):
    def read(self, partition: int, after: Head, until: int) -> AsyncIterator[list[SourceRecord]]: ...


async def write_files(
    source: LogSource, cut: Cut, writer: FolderWriter, chosen: EntryFilter, advance: Advance
) -> tuple[ExportFile, ...]:
    """One file for each partition that has entries which meet the filter. Raises `Incomplete`."""
    files = []
    for partition in sorted(cut):
        file = writer.begin(partition)
        async with aclosing(_complete(source.read(partition, GENESIS, cut[partition]), partition, cut)) as pages:
            async for page in pages:
                file.write(page if chosen == ALL else [record for record in page if chosen.meets(record.value or b"")])
                advance(len(page))
        finished = file.finish()
        if finished is not None:
            files.append(finished)
    return tuple(files)


async def _complete(
    pages: AsyncIterator[list[SourceRecord]], partition: int, cut: Cut
) -> AsyncGenerator[list[SourceRecord]]:
    """Passes the pages on. Raises `Incomplete` unless they have each position up to the cut once, in order, and with
    its bytes.
    """
    following = 0
    async for page in pages:
        for record in page:
            if record.position != following:
                raise _incomplete(f"entry {partition}.{following} is missing: {record.position} comes next")
            if record.value is None or record.fault is not None:
                raise _incomplete(f"entry {partition}.{following} cannot be exported: {record.fault}")
            following += 1
        yield page
    if following <= cut[partition]:
        raise _incomplete(f"the entries of partition {partition} end before {partition}.{following}")


def _incomplete(reason: str) -> Incomplete:
    return Incomplete(f"{reason}; run `daybook audit verify` for details")
