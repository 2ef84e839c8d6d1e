"""Verifies an export with no server (docs/verify.md): a folder in, results out. Files are read as streams, in a
process for each core if there is much to read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from daybook_contracts.log.head import GENESIS, Head
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.checks.chain import Chain
from daybook_projector.audit.checks.digest import EMPTY
from daybook_projector.audit.checks.entry_checks import next_position
from daybook_projector.audit.checks.finding import Check, Finding, Findings, shown
from daybook_projector.audit.checks.forms import as_json
from daybook_projector.audit.checks.quick_check import RUN
from daybook_projector.audit.exports.manifest import ExportFile, check_manifest
from daybook_projector.audit.log.export import ExportLog, Line
from daybook_projector.audit.log.place import NO_OFFSET
from daybook_projector.audit.verify.report import PartitionReport, Start, Verified
from daybook_projector.audit.verify.workers import ShowProgress, count_read, open_workers

SHORTEST_ENTRY: Final = 500
"""In bytes. No entry is shorter."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """`is_sound`: the file has lines, and none has a finding. `unlisted`: how many findings are not in `findings`."""

    partition: int
    entries: int = 0
    head: Head = GENESIS
    digest: bytes = EMPTY
    is_sound: bool = False
    redacted: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unlisted: int = 0

    def as_json(self) -> dict[str, Any]:
        counted = {"partition": self.partition, "entries": self.entries}
        if not self.is_sound:
            return counted
        return {**counted, "position": self.head.position, "hash": self.head.hash, "digest": self.digest.hex()}


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    partitions: tuple[FileReport, ...]
    findings: tuple[Finding, ...]
    unlisted: int

    @property
    def result(self) -> str:
        return "invalid" if self.findings else "valid"

    @property
    def redacted(self) -> list[str]:
        return [id_ for partition in self.partitions for id_ in partition.redacted]

    def as_json(self) -> dict[str, Any]:
        return {
            "result": self.result,
            "partitions": [partition.as_json() for partition in self.partitions],
            "redacted": self.redacted,
            "findings": [finding.as_json() for finding in self.findings],
            "more": self.unlisted,
        }

    def for_certificate(self) -> Verified:
        return Verified(
            scope=("export",),
            partitions=tuple(map(_certified, self.partitions)),
            tables=(),
            quarantined=(),
            findings=self.findings,
            unlisted=self.unlisted,
        )


class ExportFiltered(DaybookError):
    """The export has a filter, so it has no chain."""


def require_whole(folder: Path) -> None:
    """Raises `ExportFiltered`, `ExportUnreadable` and `OtherKind`. Says nothing about a manifest that is invalid."""
    manifest, _ = check_manifest(ExportLog(folder).manifest())
    if manifest is not None and manifest.filter is not None:
        raise ExportFiltered(
            "an export with a filter has no chain, so it neither gives nor continues a certificate: "
            "verify it without --certificate and --since"
        )


async def verify_export(
    folder: Path, show_progress: ShowProgress, starts: Mapping[int, Start] | None = None
) -> VerifiedExport:
    """`starts`: for each partition, where a certificate ends. The export must have the certified entries too. Raises
    `ExportUnreadable` and `OtherKind` if nothing can be said about the log.
    """
    vouched = {at: start.head for at, start in (starts or {}).items() if start.head != GENESIS}
    log = ExportLog(folder)
    names = log.names()
    manifest, faults = check_manifest(log.manifest())
    if manifest is None:
        return VerifiedExport((), faults, 0)
    files = manifest.files
    # The numbers in the manifest may be far too large.
    expected = sum(min(file.entries, log.size(file.partition) // SHORTEST_ENTRY) for file in files)
    with show_progress(expected, "entries") as advance:
        async with open_workers(expected, advance) as workers:
            is_filtered = manifest.filter is not None
            checks = [partial(check_file, folder, file, vouched.get(file.partition), is_filtered) for file in files]
            reports = await workers.all(checks)
    findings = Findings()
    findings.extend(faults)
    for report in reports:
        findings.extend(report.findings, report.unlisted)
    there = {file.partition for file in files}
    findings.extend(_missing(partition, 0) for partition in vouched if partition not in there)
    listed = {file.name for file in files}
    findings.extend(Finding(check="surplus", place="export", field=shown(name)) for name in names if name not in listed)
    return VerifiedExport(tuple(reports), tuple(findings.listed), findings.unlisted)


def check_file(folder: Path, file: ExportFile, vouched: Head | None, is_filtered: bool) -> FileReport:  # noqa: FBT001 - by position only, for another process
    """Checks one file of entries, and what the manifest says about it. Raises `ExportUnreadable`."""
    log, findings = ExportLog(folder), Findings()
    if not log.has_file(file.partition):
        return FileReport(file.partition, findings=(_missing(file.partition, file.first),))
    chain = Chain(file.partition, "export", is_filtered=is_filtered)
    digest = sha256()
    first: int | None = None
    for lines in _runs(log.lines(file.partition, digest.update)):
        # If a certificate ends in this file, the entry there is compared, so the lines are followed one by one.
        taken = None if vouched is not None else _follow_all(chain, lines)
        if taken is not None and first is None:
            first = taken
        for line in lines if taken is None else ():
            finding = _follow(chain, line)
            if finding is not None:
                findings.add(finding)
            if first is None and not (is_filtered and finding is not None and finding.check == "unreadable"):
                first = chain.head.position
            if vouched is not None and chain.head.position == vouched.position and chain.head != vouched:
                findings.add(_other(file.partition, vouched, chain.head))
        count_read(len(lines))
    is_sound = len(findings) == 0 and chain.entries > 0
    end = file.last if vouched is None else max(file.last, vouched.position)
    if not is_filtered and chain.head.position < end:
        findings.add(_missing(file.partition, next_position(chain.head)))
    last = None if first is None else chain.head.position
    has = {"sha256": digest.hexdigest(), "first": first, "last": last, "entries": chain.entries}
    findings.extend(_claim(file, name, found) for name, found in has.items() if found not in (None, _said(file, name)))
    redacted, listed = tuple(chain.redacted), tuple(findings.listed)
    return FileReport(
        file.partition, chain.entries, chain.head, chain.digest, is_sound, redacted, listed, findings.unlisted
    )


def _runs(pages: Iterable[list[Line]]) -> Iterator[list[Line]]:
    for lines in pages:
        for start in range(0, len(lines), RUN):
            yield lines[start : start + RUN]


def _follow_all(chain: Chain, lines: Sequence[Line]) -> int | None:
    """Takes the lines if all of them are certainly right, and returns the first one's position. If not, takes none."""
    values = [line.value or b"" for line in lines]
    taken = chain.extend_all([NO_OFFSET] * len(lines), values) if all(line.is_ended for line in lines) else None
    return None if taken is None else taken[0].position


def _follow(chain: Chain, line: Line) -> Finding | None:
    if line.is_ended:
        return chain.follow(NO_OFFSET, line.value).finding
    return chain.step_over(NO_OFFSET, line.value, is_whole=False).finding


def _other(partition: int, vouched: Head, found: Head) -> Finding:
    """The export has another entry where the certificate ends."""
    return Finding(
        check="hash",
        place="export",
        partition=partition,
        position=as_json(vouched.position),
        expected=vouched.hash,
        found=found.hash,
    )


def _certified(file: FileReport) -> PartitionReport:
    return PartitionReport(
        partition=file.partition,
        entries=file.entries,
        head=file.head,
        offset=NO_OFFSET,
        voids=0,
        digest=file.digest,
        rows=file.entries,
        redacted=file.redacted,
    )


def _missing(partition: int, position: int) -> Finding:
    return Finding(check="missing", place="export", partition=partition, position=as_json(position))


def _claim(file: ExportFile, name: str, found: Any) -> Finding:
    """A finding about a file that differs from what the manifest says about it."""
    check: Check = "hash" if name == "sha256" else "columns"
    expected = as_json(found) if isinstance(found, int) else found
    said = _said(file, name)
    return Finding(check=check, place="manifest", partition=file.partition, field=name, expected=expected, found=said)


def _said(file: ExportFile, name: str) -> Any:
    return getattr(file, name)
