"""Findings and results as lines for people (docs/verify.md gives a finding's form)."""

from collections.abc import Iterator

from msgspec import UNSET

from daybook_contracts.json.canonical import canonical_bytes
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.verify.report import Verified


def finding_text(finding: Finding) -> str:
    place = "" if finding.partition is UNSET else f" {finding.partition}"
    if finding.position is not UNSET:
        place += f".{finding.position}"
    parts = [f"{finding.check}: {finding.place}{place}"]
    if finding.id is not UNSET:
        parts.append(f"id {finding.id}")
    if finding.table is not UNSET:
        parts.append(f"table {finding.table}")
    if finding.key is not UNSET:
        parts.append(f"key {' '.join(map(str, finding.key))}")
    if finding.field is not UNSET:
        parts.append(f"field {finding.field}")
    if finding.expected is not UNSET:
        parts.append(f"expected {_json(finding.expected)}")
    if finding.found is not UNSET:
        parts.append(f"found {_json(finding.found)}")
    return ", ".join(parts)


def verified_lines(verified: Verified) -> Iterator[str]:
    """The last line says the result, and names the first finding."""
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
    yield from map(finding_text, verified.findings)
    if verified.more:
        yield f"and {verified.more} more findings"
    yield f"invalid: {finding_text(verified.findings[0])}" if verified.findings else _valid(verified)


def _valid(verified: Verified) -> str:
    return f"valid: {', '.join(verified.scope)}"


def _json(value: object) -> str:
    return canonical_bytes(value).decode()
