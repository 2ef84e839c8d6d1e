"""Writes an export's folder: ordered entries in; one file for each partition, then the manifest, out (docs/verify.md).
The manifest comes last, so a folder without one is not whole. Memory is bounded by a page.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.exports.manifest import MANIFEST, ExportFile, Manifest, encode_manifest, file_name
from daybook_projector.audit.log.place import SourceRecord

PRIVATE: Final = 0o600
"""The file mode. Only the owner can read an export, because it holds what tenants wrote."""


class ExportUnwritable(DaybookError):
    """The folder cannot be used, or the disk is full."""


class Encoder(Protocol):
    """Writes entries into one file. Every record has a value."""

    def write(self, records: Sequence[SourceRecord]) -> None: ...

    def finish(self) -> None:
        """Writes what must follow the last entry. The file stays open."""


class HashingFile(RawIOBase):
    """A file that is written from start to end, and the SHA-256 of its bytes."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb", opener=_private)  # noqa: SIM115 - Path.open takes no opener; see `close`
        self._digest = sha256()
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        self._size += self._file.write(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def sync(self) -> None:
        """Forces the bytes to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
        super().close()


class JsonLines:
    """The bytes of the entries, one entry a line."""

    def __init__(self, file: RawIOBase) -> None:
        self._file = file

    def write(self, records: Sequence[SourceRecord]) -> None:
        self._file.write(b"".join(b"%b\n" % record.value for record in records if record.value is not None))

    def finish(self) -> None:
        """Writes nothing: JSON lines need no end."""


class PartitionFile:
    """One partition's file, which is made with its first entry."""

    def __init__(self, path: Path, partition: int, encoder: Callable[[HashingFile], Encoder]) -> None:
        self._path = path
        self._partition = partition
        self._make_encoder = encoder
        self._begun: tuple[HashingFile, Encoder] | None = None
        self._first = self._last = -1
        self._entries = 0

    def write(self, records: Sequence[SourceRecord]) -> None:
        if not records:
            return
        with _translated(self._path):
            if self._begun is None:
                file = HashingFile(self._path)
                self._begun = file, self._make_encoder(file)
                self._first = records[0].position
            self._begun[1].write(records)
        self._last = records[-1].position
        self._entries += len(records)

    def finish(self) -> ExportFile | None:
        """None if the partition has no entries, and so no file."""
        if self._begun is None:
            return None
        file, encoder = self._begun
        with _translated(self._path):
            encoder.finish()
            file.sync()
            file.close()
        return ExportFile(self._path.name, self._partition, self._first, self._last, self._entries, file.hexdigest())

    def abandon(self) -> None:
        """Closes the file as it is."""
        if self._begun is not None:
            with suppress(OSError):
                self._begun[0].close()


class FolderWriter:
    """A context manager. Its methods raise `ExportUnwritable`. Without `finish`, the folder gets no manifest."""

    def __init__(self, folder: Path, encoder: Callable[[HashingFile], Encoder], ending: str = "jsonl") -> None:
        self._folder = folder
        self._encoder = encoder
        self._ending = ending
        self._file: PartitionFile | None = None

    def __enter__(self) -> Self:
        with _translated(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_empty = next(self._folder.iterdir(), None) is None
        if not is_empty:
            raise ExportUnwritable(f"{self._folder} is not empty: name a new or an empty folder")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.abandon()

    def begin(self, partition: int) -> PartitionFile:
        """The previous file must be finished."""
        self._file = PartitionFile(self._folder / file_name(partition, self._ending), partition, self._encoder)
        return self._file

    def finish(self, manifest: Manifest, table_format: str | None = None) -> bytes:
        """Writes the manifest, and returns its bytes."""
        value = encode_manifest(manifest, table_format)
        unfinished = self._folder / f".{MANIFEST}"
        with _translated(unfinished):
            with HashingFile(unfinished) as file:
                file.write(value)
                file.sync()
            unfinished.rename(self._folder / MANIFEST)
            _sync_folder(self._folder)
        return value


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportUnwritable(f"{path} cannot be written: {error.strerror or error}") from error
