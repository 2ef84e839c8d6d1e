"""Writes and reads certificates: the results of a verification in, bytes out; bytes in, the certificate out. Everything
but `made_at` depends only on the verified state (docs/auditing.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins

from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, parse_canonical
from daybook_contracts.log.head import Head
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.log.place import NO_OFFSET
from daybook_projector.audit.verify.report import PartitionReport, Start, Verified

VERSION: Final = 1
KIND: Final = "daybook-certificate"
EXPORT: Final = ("export",)
"""The scope of a certificate of an export."""

Count = Annotated[int, Meta(ge=0)]
Place = Annotated[int, Meta(ge=-1)]
"""-1 if the partition has no entry."""
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
EntryHash = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
"""Empty if the last entry names no hash."""


class CertifiedPartition(Struct, frozen=True, omit_defaults=True, kw_only=True):
    partition: Count
    entries: Count
    position: Place
    hash: EntryHash
    offset: Place | UnsetType = UNSET
    voids: Count | UnsetType = UNSET
    digest: Digest


class CertifiedTable(Struct, frozen=True):
    name: str
    rows: Count
    digest: Digest


class CertifiedQuarantine(Struct, frozen=True):
    org_id: str
    partition: int
    position: int


class Certificate(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`since`: the SHA-256 of the earlier certificate that this one continues."""

    v: int
    kind: str
    made_at: str
    daybook: str
    scope: tuple[str, ...]
    since: str | None
    partitions: tuple[CertifiedPartition, ...]
    tables: tuple[CertifiedTable, ...] | UnsetType = UNSET
    quarantined: tuple[CertifiedQuarantine, ...] | UnsetType = UNSET
    redacted: tuple[str, ...] | UnsetType = UNSET
    result: Literal["valid", "invalid"]
    findings: tuple[Finding, ...]
    more: int


@dataclass(frozen=True, slots=True)
class CertificateFile:
    certificate: Certificate
    sha256: str

    def starts(self) -> dict[int, Start]:
        """Where a verification that continues this certificate begins."""
        return {each.partition: _start(each) for each in self.certificate.partitions}


class UnreadableCertificate(DaybookError):
    """The file is no certificate that this version can read."""


def certify(verified: Verified, *, made_at: str, daybook: str, since: str | None) -> Certificate:
    has_database = "audit_log" in verified.scope or "tables" in verified.scope
    has_topic = "topic" in verified.scope
    tables = tuple(CertifiedTable(each.name, each.rows, each.digest.hex()) for each in verified.tables)
    quarantined = tuple(
        CertifiedQuarantine(each.org_id, each.partition, each.position) for each in verified.quarantined
    )
    return Certificate(
        v=VERSION,
        kind=KIND,
        made_at=made_at,
        daybook=daybook,
        scope=verified.scope,
        since=since,
        partitions=tuple(_partition(each, has_topic=has_topic) for each in verified.partitions),
        tables=tables if has_database else UNSET,
        quarantined=quarantined if has_database else UNSET,
        redacted=UNSET if verified.scope in ((), ("topic",)) else _redacted(verified.partitions),
        result="valid" if verified.is_valid else "invalid",
        findings=verified.findings,
        more=verified.unlisted,
    )


def certificate_bytes(certificate: Certificate) -> bytes:
    """The JCS of the certificate."""
    return canonical_bytes(to_builtins(certificate))


def read_certificate(value: bytes, name: str) -> CertificateFile:
    """Raises `UnreadableCertificate`."""
    try:
        parsed: Any = parse_canonical(value.removesuffix(b"\n"))
        certificate = msgspec.convert(parsed, Certificate)
    except (NotCanonical, msgspec.ValidationError) as error:
        raise UnreadableCertificate(f"{name} is not a certificate: {error}") from error
    if (certificate.v, certificate.kind) != (VERSION, KIND):
        raise UnreadableCertificate(
            f"{name} is a {certificate.kind}, version {certificate.v}: this version of Daybook cannot read it"
        )
    if _is_filtered(certificate):
        raise UnreadableCertificate(
            f"{name} is a certificate of an export with a filter, which has no chain: make one of the whole log"
        )
    return CertificateFile(certificate, sha256(value.removesuffix(b"\n")).hexdigest())


def _is_filtered(certificate: Certificate) -> bool:
    """Earlier versions made certificates of exports with a filter too. A certificate of a whole log is valid only if
    no entry is missing.
    """
    is_whole = all(each.entries == each.position + 1 for each in certificate.partitions)
    return certificate.scope == EXPORT and certificate.result == "valid" and not is_whole


def _partition(report: PartitionReport, *, has_topic: bool) -> CertifiedPartition:
    return CertifiedPartition(
        partition=report.partition,
        entries=report.entries,
        position=report.head.position,
        hash=report.head.hash,
        offset=report.offset if has_topic else UNSET,
        voids=report.voids if has_topic else UNSET,
        digest=report.digest.hex(),
    )


def _redacted(partitions: Sequence[PartitionReport]) -> tuple[str, ...]:
    return tuple(id_ for partition in partitions for id_ in partition.redacted)


def _start(partition: CertifiedPartition) -> Start:
    return Start(
        head=Head(partition.position, partition.hash),
        offset=NO_OFFSET if partition.offset is UNSET else partition.offset,
        entries=partition.entries,
        voids=0 if partition.voids is UNSET else partition.voids,
        digest=bytes.fromhex(partition.digest),
    )
