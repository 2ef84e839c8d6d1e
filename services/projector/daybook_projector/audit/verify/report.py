"""The results of a verification: per partition, per table, and overall. Plain values that pass between processes."""

from dataclasses import dataclass

from daybook_contracts.log.head import GENESIS, Head
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.log.place import NO_OFFSET


@dataclass(frozen=True, slots=True)
class Start:
    """Where the verification of a partition begins: after the entries of a certificate, or at the log's beginning."""

    head: Head = GENESIS
    offset: int = NO_OFFSET
    entries: int = 0
    voids: int = 0
    digest: bytes = bytes(32)


BEGINNING = Start()


@dataclass(frozen=True, slots=True)
class Quarantine:
    org_id: str
    partition: int
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """`offset` is Kafka's offset of the head. `voids` counts the void records before the head. `digest` is that of the
    rows of `audit_log`, or of the rows that the entries would have there.
    """

    partition: int
    entries: int
    head: Head
    offset: int
    voids: int
    digest: bytes
    rows: int
    redacted: tuple[str, ...] = ()
    unfoldable: str | None = None
    """Why the tables cannot be compared with this partition's entries."""
    findings: tuple[Finding, ...] = ()
    unlisted: int = 0
    wanted: int = 0
    """How many entries were checked: all, or those of the one org that is verified."""


@dataclass(frozen=True, slots=True)
class TableReport:
    """`name` without the schema `public`."""

    name: str
    rows: int
    digest: bytes
    findings: tuple[Finding, ...] = ()
    unlisted: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """`unreached`: the sources that were not asked for by name and whose servers could not be reached. `unchecked`:
    what could not be checked although its server could be reached. Both include the reason. `unlisted`: how many
    findings are not in `findings`.
    """

    scope: tuple[str, ...]
    partitions: tuple[PartitionReport, ...]
    tables: tuple[TableReport, ...]
    quarantined: tuple[Quarantine, ...]
    findings: tuple[Finding, ...]
    unlisted: int
    unreached: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        return not self.findings
