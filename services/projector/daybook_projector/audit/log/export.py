"""Reads the manifest, the file names and the lines of an exported folder (docs/verify.md). Reads the lines without
regard to the manifest, and checks nothing. Memory is bounded.
"""

import errno
import os
import re
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import orjson

from daybook_contracts.limits import MAX_SAFE_INTEGER
from daybook_contracts.log.head import Head
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.checks.readable import LONGEST
from daybook_projector.audit.exports.manifest import MANIFEST, file_name
from daybook_projector.audit.log.place import NO_OFFSET, SourceRecord

PAGE_BYTES: Final = 1024 * 1024

_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_NAME: Final = re.compile(r"partition-(\d{4,})\.jsonl", re.ASCII)


class ExportUnreadable(DaybookError):
    """The folder, or a file in it, cannot be read. This says nothing about the log."""


class Line(NamedTuple):
    """`value` is the line without its line feed, or None if the line is longer than any entry. `is_ended` says whether
    the line ends with a line feed.
    """

    value: bytes | None
    is_ended: bool


class ExportLog:
    """Every method raises `ExportUnreadable` if it cannot read what it needs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self) -> bytes:
        """The bytes of the manifest; only the first `LONGEST + 1` if it has more."""
        path = self._folder / MANIFEST
        if not _is_file(path):
            raise ExportUnreadable(f"{self._folder} has no {MANIFEST}: it is not an export, or an incomplete one")
        try:
            with path.open("rb") as file:
                return file.read(LONGEST + 1)
        except OSError as error:
            raise _unreadable(error) from error

    def names(self) -> list[str]:
        """The names of everything in the folder but the manifest, in the order of their bytes. Bytes that are not UTF-8
        are replaced.
        """
        try:
            found = [os.fsencode(path.name) for path in self._folder.iterdir() if path.name != MANIFEST]
        except OSError as error:
            raise _unreadable(error) from error
        return [name.decode(errors="replace") for name in sorted(found)]

    def partitions(self) -> list[int]:
        """The partitions that have a file."""
        named = (_NAME.fullmatch(name) for name in self.names())
        found = (int(name[1]) for name in named if name is not None)
        return sorted(partition for partition in found if self.has_file(partition))

    def has_file(self, partition: int) -> bool:
        return _is_file(self._path(partition))

    def size(self, partition: int) -> int:
        """The size of the partition's file in bytes; 0 if there is no file."""
        found = _stat(self._path(partition))
        return 0 if found is None else found.st_size

    def lines(self, partition: int, note: Callable[[bytes], object] = len) -> Iterator[list[Line]]:
        """The lines of the partition's file, in pages. `note` gets all of the file's bytes, in order."""
        try:
            with self._path(partition).open("rb") as file:
                yield from _pages(file, note)
        except OSError as error:
            raise _unreadable(error) from error

    async def read(self, partition: int, after: Head, until: int) -> AsyncIterator[list[SourceRecord]]:
        """The entries after the head, up to the position `until`. A line that names no position gets the
        position after the previous line's.
        """
        position = -1
        for lines in self.lines(partition) if self.has_file(partition) else ():
            page = []
            for line in lines:
                claimed = _position(line)
                position = position + 1 if claimed is None else claimed
                if after.position < position <= until:
                    page.append(_record(partition, position, line))
            yield page

    def _path(self, partition: int) -> Path:
        return self._folder / file_name(partition)


def _is_file(path: Path) -> bool:
    found = _stat(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def _stat(path: Path) -> os.stat_result | None:
    """None if the path does not exist. Raises `ExportUnreadable` if that cannot be found out. (From Python 3.14 on,
    `Path.is_file` returns False in that case.)
    """
    try:
        return path.stat()
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise _unreadable(error) from error


def _pages(file: BinaryIO, note: Callable[[bytes], object]) -> Iterator[list[Line]]:
    page: list[Line] = []
    size = 0
    while piece := file.readline(LONGEST + 1):
        note(piece)
        line = Line(piece.removesuffix(b"\n"), piece.endswith(b"\n"))
        if len(piece) > LONGEST and not line.is_ended:
            line = _skip_rest(file, note)
        page.append(line)
        size += len(piece)
        if size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def _skip_rest(file: BinaryIO, note: Callable[[bytes], object]) -> Line:
    """Skips the rest of a line that is too long."""
    while piece := file.readline(PAGE_BYTES):
        note(piece)
        if piece.endswith(b"\n"):
            return Line(None, is_ended=True)
    return Line(None, is_ended=False)


def _position(line: Line) -> int | None:
    try:
        position = orjson.loads(line.value or b"")["metadata_json"]["position"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return None
    return position if type(position) is int and 0 <= position <= MAX_SAFE_INTEGER else None


def _record(partition: int, position: int, line: Line) -> SourceRecord:
    if line.value is None:
        return SourceRecord(partition, position, NO_OFFSET, None, "the line is longer than any entry")
    if not line.is_ended:
        return SourceRecord(partition, position, NO_OFFSET, None, "the line has no line feed at its end")
    return SourceRecord(partition, position, NO_OFFSET, line.value)


def _unreadable(error: OSError) -> ExportUnreadable:
    return ExportUnreadable(f"the export cannot be read: {error.strerror}: {error.filename}")
