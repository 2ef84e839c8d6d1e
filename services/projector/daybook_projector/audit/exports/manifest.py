"""Writes and reads the manifest of an export (docs/verify.md): the exported files in, bytes out; bytes in, the manifest
and its faults out. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

from daybook_contracts.entries.reading import is_time
from daybook_contracts.json.canonical import NotCanonical, canonical_bytes
from daybook_contracts.limits import MAX_SAFE_INTEGER
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.checks.finding import Finding, shown
from daybook_projector.audit.checks.readable import readable_object

VERSION: Final = 1
KIND: Final = "daybook-export"
COPY_KIND: Final = "daybook-copy"
"""The kind of a copy as tables. Such a copy cannot be verified, because it does not hold the bytes of the entries."""

MANIFEST: Final = "manifest.json"

Source = Literal["topic", "audit_log"]
Filter = dict[str, Any]

_SOURCES: Final = ("topic", "audit_log")
_MEMBERS: Final = frozenset({"v", "kind", "made_at", "source", "filter", "files", "digest"})
_FILE_MEMBERS: Final = frozenset({"name", "partition", "first", "last", "entries", "sha256"})
_HEX: Final = frozenset("0123456789abcdef")


class OtherKind(DaybookError):
    """The manifest does not describe an export, or has another version."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """`first` and `last` are positions. `sha256` is the hash of the bytes of the file."""

    name: str
    partition: int
    first: int
    last: int
    entries: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made_at` has the form of `created_at`. `filter` is None if the whole log was exported."""

    made_at: str
    source: Source
    filter: Filter | None
    files: tuple[ExportFile, ...]


class CheckedManifest(NamedTuple):
    """`manifest` is None if it cannot be read; then `findings` has one finding."""

    manifest: Manifest | None
    findings: tuple[Finding, ...]


def file_name(partition: int, ending: str = "jsonl") -> str:
    return f"partition-{partition:04}.{ending}"


def encode_manifest(manifest: Manifest, table_format: str | None = None) -> bytes:
    """The JCS of the manifest, with its digest. `table_format`: the format of a copy as tables, whose manifest has
    the kind COPY_KIND.
    """
    members: dict[str, Any] = {
        "v": VERSION,
        "kind": KIND,
        "made_at": manifest.made_at,
        "source": manifest.source,
        "filter": manifest.filter,
        "files": [asdict(file) for file in manifest.files],
    }
    if table_format is not None:
        members |= {"kind": COPY_KIND, "format": table_format}
    return canonical_bytes({**members, "digest": _digest(members)})


def check_manifest(value: bytes) -> CheckedManifest:
    """Checks the manifest only, not the files. Raises `OtherKind`."""
    members = readable_object(value)
    if members is None:
        return _unreadable()
    if members.get("kind") != KIND or not _is_count(members.get("v")) or members["v"] != VERSION:
        raise OtherKind(
            f"{MANIFEST} does not describe an export of version {VERSION}: its kind is {members.get('kind')!r}, "
            f"its version {members.get('v')!r}; only exports as JSON lines can be verified"
        )
    manifest = _manifest(members)
    if manifest is None:
        return _unreadable()
    return CheckedManifest(manifest, tuple(_findings(value, members)))


def _unreadable() -> CheckedManifest:
    return CheckedManifest(None, (Finding(check="unreadable", place="manifest"),))


def _findings(value: bytes, members: dict[str, Any]) -> Iterable[Finding]:
    try:
        canonical: bytes | None = canonical_bytes(members)
    except NotCanonical:
        canonical = None
    if canonical != value:
        yield Finding(check="canonical", place="manifest")
    if canonical is None:
        return
    digest = _digest({name: member for name, member in members.items() if name != "digest"})
    if members["digest"] != digest:
        found = shown(members["digest"])
        yield Finding(check="hash", place="manifest", field="digest", expected=digest, found=found)


def _digest(members: Mapping[str, Any]) -> str:
    return sha256(canonical_bytes(dict(members))).hexdigest()


def _manifest(members: dict[str, Any]) -> Manifest | None:
    """None if a member is missing, surplus or of the wrong form."""
    made_at, files = members.get("made_at"), members.get("files")
    is_formed = (
        members.keys() == _MEMBERS
        and isinstance(made_at, str)
        and is_time(made_at)
        and members["source"] in _SOURCES
        and (members["filter"] is None or isinstance(members["filter"], dict))
        and isinstance(members["digest"], str)
        and isinstance(files, list)
        and all(map(_is_file, files))
    )
    if not is_formed or files is None:
        return None
    listed = tuple(ExportFile(**_with_integers(file)) for file in files)
    partitions = [file.partition for file in listed]
    if partitions != sorted(set(partitions)):
        return None
    return Manifest(str(made_at), members["source"], members["filter"], listed)


def _is_file(file: object) -> bool:
    return (
        isinstance(file, dict)
        and file.keys() == _FILE_MEMBERS
        and all(_is_count(file[name]) for name in ("partition", "first", "last", "entries"))
        and file["entries"] > 0
        and file["name"] == file_name(int(file["partition"]))
        and isinstance(file["sha256"], str)
        and len(file["sha256"]) == 64
        and _HEX.issuperset(file["sha256"])
    )


def _is_count(found: object) -> bool:
    """Whether JCS writes the value as an integer from 0 to 2**53 - 1. It does so for `1.0` too."""
    return type(found) in {int, float} and 0 <= found <= MAX_SAFE_INTEGER and found == int(found)  # type: ignore[operator, call-overload]  # type() narrows nothing


def _with_integers(file: dict[str, Any]) -> dict[str, Any]:
    return {name: member if isinstance(member, str) else int(member) for name, member in file.items()}
