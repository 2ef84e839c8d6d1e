"""Findings and results as lines for people (docs/verify.md gives a finding's form)."""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import UNSET

from daybook_contracts.json.canonical import canonical_bytes
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.verify.export import VerifiedExport
from daybook_projector.audit.verify.report import Verified

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:-]+")
"""A field that does not match is quoted: a surplus file's name may have line feeds, and must not look like a line."""


def finding_text(finding: Finding) -> str:
    place = "" if finding.partition is UNSET else f" {finding.partition}"
    if finding.position is not UNSET:
        place += f".{_json(finding.position)}"
    parts = [f"{finding.check}: {finding.place}{place}"]
    if finding.id is not UNSET:
        parts.append(f"id {finding.id}")
    if finding.table is not UNSET:
        parts.append(f"table {finding.table}")
    if finding.key is not UNSET:
        parts.append(f"key {' '.join(map(str, finding.key))}")
    if finding.field is not UNSET:
        parts.append(f"field {finding.field if _PLAIN.fullmatch(finding.field) else _json(finding.field)}")
    if finding.expected is not UNSET:
        parts.append(f"expected {_json(finding.expected)}")
    if finding.found is not UNSET:
        parts.append(f"found {_json(finding.found)}")
    return ", ".join(parts)


def verified_lines(verified: Verified) -> Iterator[str]:
    """The last line gives the result, and the first finding if there is one."""
    for partition in verified.partitions:
        voids = f", voids {partition.voids}" if "topic" in verified.scope else ""
        yield (
            f"partition {partition.partition}: entries {partition.entries}, position {partition.head.position}, "
            f"hash {partition.head.hash}, digest {partition.digest.hex()}{voids}"
        )
    for table in verified.tables:
        yield f"table {table.name}: rows {table.rows}, digest {table.digest.hex()}"
    for each in verified.quarantined:
        yield f"in quarantine: org {each.org_id} from {each.partition}.{each.position} on"
    yield from (f"redacted {id_}" for partition in verified.partitions for id_ in partition.redacted)
    yield from (f"not reached: {reason}" for reason in verified.unreached)
    yield from (f"could not check {reason}" for reason in verified.unchecked)
    yield from _findings_lines(verified, f"valid: {', '.join(verified.scope)}")


def export_lines(verified: VerifiedExport) -> Iterator[str]:
    """The last line gives the result, and the first finding if there is one."""
    for partition in verified.partitions:
        number, *others = (f"{name} {value}" for name, value in partition.as_json().items())
        yield f"{number}: {', '.join(others)}"
    yield from (f"redacted {id_}" for id_ in verified.redacted)
    yield from _findings_lines(verified, "valid")


def _findings_lines(verified: Verified | VerifiedExport, valid: str) -> Iterator[str]:
    yield from map(finding_text, verified.findings)
    if verified.unlisted:
        yield f"and {verified.unlisted} more findings"
    yield f"invalid: {finding_text(verified.findings[0])}" if verified.findings else valid


def _json(value: object) -> str:
    return canonical_bytes(value).decode()
