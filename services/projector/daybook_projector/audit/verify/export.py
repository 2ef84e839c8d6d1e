"""Verifies an export with no server (docs/verify.md): a folder in, what was found out. Files are read as streams, in a
process for each core if there is much to read.
"""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from daybook_projector.audit.checks.chain import Chain
from daybook_projector.audit.checks.entry_checks import next_position
from daybook_projector.audit.checks.finding import Check, Finding, Findings, shown
from daybook_projector.audit.checks.forms import as_json
from daybook_projector.audit.exports.manifest import ExportFile, check_manifest
from daybook_projector.audit.log.export import ExportLog
from daybook_projector.audit.log.place import NO_OFFSET
from daybook_projector.audit.verify.workers import ShowProgress, count_read, open_workers

SHORTEST_ENTRY: Final = 500
"""Bytes; no entry is shorter."""

_NOTHING: Final[dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class FileReport:
    """`head`: position, hash and digest of the partition, if it has lines and none has a finding."""

    partition: int
    entries: int
    head: dict[str, Any]
    redacted: tuple[str, ...]
    findings: tuple[Finding, ...]
    more: int

    def as_json(self) -> dict[str, Any]:
        return {"partition": self.partition, "entries": self.entries, **self.head}


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    partitions: tuple[FileReport, ...]
    findings: tuple[Finding, ...]
    more: int

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
            "more": self.more,
        }


async def verify_export(folder: Path, show_progress: ShowProgress) -> VerifiedExport:
    """Raises `ExportUnreadable` and `OtherKind`: nothing can be said of the log."""
    log = ExportLog(folder)
    names = log.names()
    manifest, faults = check_manifest(log.manifest())
    if manifest is None:
        return VerifiedExport((), faults, 0)
    files = manifest.files
    # The manifest's numbers may be wrong by far.
    expected = sum(min(file.entries, log.size(file.partition) // SHORTEST_ENTRY) for file in files)
    with show_progress(expected, "entries") as advance:
        async with open_workers(expected, advance) as workers:
            checks = [partial(check_file, folder, file, is_filtered=manifest.filter is not None) for file in files]
            reports = await workers.all(checks)
    findings = Findings()
    findings.extend(faults)
    for report in reports:
        findings.extend(report.findings, report.more)
    listed = {file.name for file in files}
    findings.extend(Finding(check="surplus", place="export", field=shown(name)) for name in names if name not in listed)
    return VerifiedExport(tuple(reports), tuple(findings.listed), findings.more)


def check_file(folder: Path, file: ExportFile, *, is_filtered: bool) -> FileReport:
    """One file of entries, and what the manifest says of it. Raises `ExportUnreadable`."""
    log, findings = ExportLog(folder), Findings()
    if not log.has_file(file.partition):
        findings.add(_missing(file.partition, file.first))
        return FileReport(file.partition, 0, _NOTHING, (), tuple(findings.listed), 0)
    chain = Chain(file.partition, "export", is_filtered=is_filtered)
    digest = sha256()
    first: int | None = None
    for lines in log.lines(file.partition, digest.update):
        for line in lines:
            if line.is_ended:
                finding = chain.follow(NO_OFFSET, line.value).finding
            else:
                finding = chain.step_over(NO_OFFSET, line.value, is_whole=False).finding
            if finding is not None:
                findings.add(finding)
            if first is None and not (is_filtered and finding is not None and finding.check == "unreadable"):
                first = chain.head.position
        count_read(len(lines))
    head = _NOTHING if len(findings) > 0 or chain.entries == 0 else _head(chain)
    if not is_filtered and chain.head.position < file.last:
        findings.add(_missing(file.partition, next_position(chain.head)))
    last = None if first is None else chain.head.position
    has = {"sha256": digest.hexdigest(), "first": first, "last": last, "entries": chain.entries}
    findings.extend(_claim(file, name, found) for name, found in has.items() if found not in (None, _said(file, name)))
    return FileReport(file.partition, chain.entries, head, tuple(chain.redacted), tuple(findings.listed), findings.more)


def _head(chain: Chain) -> dict[str, Any]:
    return {"position": chain.head.position, "hash": chain.head.hash, "digest": chain.digest.hex()}


def _missing(partition: int, position: int) -> Finding:
    return Finding(check="missing", place="export", partition=partition, position=as_json(position))


def _claim(file: ExportFile, name: str, found: Any) -> Finding:
    """What the manifest says of a file, where the file has something else."""
    check: Check = "hash" if name == "sha256" else "columns"
    expected = as_json(found) if isinstance(found, int) else found
    said = _said(file, name)
    return Finding(check=check, place="manifest", partition=file.partition, field=name, expected=expected, found=said)


def _said(file: ExportFile, name: str) -> Any:
    return getattr(file, name)
