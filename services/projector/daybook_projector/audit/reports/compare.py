"""Compares two certificates: what changed from the first to the second, and where they contradict each other. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from daybook_contracts.log.head import GENESIS
from daybook_projector.audit.checks.digest import EMPTY
from daybook_projector.audit.reports.certificate import EXPORT, Certificate, CertificateFile, CertifiedPartition


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found, as lines for people."""

    changes: tuple[str, ...]
    contradictions: tuple[str, ...]


def compare(first: CertificateFile, second: CertificateFile) -> Compared:
    """Contradictions prove that a log or a table was altered, or that the certificates are of different logs."""
    before = _with_empty_partitions(first.certificate, second.certificate)
    after = _with_empty_partitions(second.certificate, first.certificate)
    changes = [*_continuation(first, second), *_partition_changes(before, after), *_table_changes(before, after)]
    # A continuation lists only the redacted entries that it has read.
    changes += _list_changes("redacted", _redacted(before), _redacted(after), is_whole=after.since is None)
    changes += _list_changes("in quarantine", _quarantined(before), _quarantined(after))
    if before.result != after.result:
        changes.append(f"result: {before.result}, then {after.result}")
    return Compared(tuple(changes), tuple(_contradictions(before, after)))


def _with_empty_partitions(certificate: Certificate, other: Certificate) -> Certificate:
    """An export has no file of an empty partition, so its certificate does not list the partition. Adds those that the
    other certificate lists.
    """
    if certificate.scope != EXPORT:
        return certificate
    listed = {each.partition: each for each in certificate.partitions}
    numbers = sorted(listed.keys() | {each.partition for each in other.partitions})
    return replace(certificate, partitions=tuple(listed.get(number) or _empty(number) for number in numbers))


def _empty(partition: int) -> CertifiedPartition:
    position, hash_ = GENESIS.position, GENESIS.hash
    return CertifiedPartition(partition=partition, entries=0, position=position, hash=hash_, digest=EMPTY.hex())


def _continuation(first: CertificateFile, second: CertificateFile) -> Iterator[str]:
    if second.certificate.since == first.sha256:
        yield "the second certificate was verified as the continuation of the first"


def _pairs(before: Certificate, after: Certificate) -> Iterator[tuple[CertifiedPartition, CertifiedPartition]]:
    found = {each.partition: each for each in after.partitions}
    return ((each, found[each.partition]) for each in before.partitions if each.partition in found)


def _partition_changes(before: Certificate, after: Certificate) -> Iterator[str]:
    for old, new in _pairs(before, after):
        if new.position > old.position:
            count = new.position - old.position
            entries = "1 more entry" if count == 1 else f"{count} more entries"
            yield f"partition {new.partition}: {entries}, to position {new.position}"
        if new.voids != old.voids and UNSET not in (old.voids, new.voids):
            yield f"partition {new.partition}: voids {old.voids}, then {new.voids}"


def _table_changes(before: Certificate, after: Certificate) -> Iterator[str]:
    if before.tables is UNSET or after.tables is UNSET:
        return
    found = {table.name: table for table in after.tables}
    for old in before.tables:
        new = found.get(old.name)
        if new is not None and new != old:
            yield f"table {old.name}: rows {old.rows}, {'changed' if new.rows == old.rows else f'then {new.rows}'}"


def _list_changes(
    word: str, before: set[str] | None, after: set[str] | None, *, is_whole: bool = True
) -> Iterator[str]:
    """`before`, `after`: None if the certificate has no such list. `is_whole`: `after` is complete, so what it lacks is
    listed too.
    """
    if before is None or after is None:
        return
    yield from (f"{word}: {each}" for each in sorted(after - before))
    if is_whole:
        yield from (f"no longer {word}: {each}" for each in sorted(before - after))


def _contradictions(before: Certificate, after: Certificate) -> Iterator[str]:
    missing = {each.partition for each in before.partitions} ^ {each.partition for each in after.partitions}
    if missing:
        yield f"only one of them has partition {', '.join(map(str, sorted(missing)))}"
    for old, new in _pairs(before, after):
        yield from _partition_contradictions(old, new)
    if _is_same_state(before, after) and before.tables is not UNSET and after.tables is not UNSET:
        digests = {table.name: table.digest for table in after.tables}
        for table in before.tables:
            if digests.get(table.name, table.digest) != table.digest:
                yield f"table {table.name} differs, although the log is the same"


def _partition_contradictions(old: CertifiedPartition, new: CertifiedPartition) -> Iterator[str]:
    if new.position < old.position:
        end = f"ends at position {new.position}" if new.position >= 0 else "has no entries"
        yield f"partition {old.partition} {end}, and ended at position {old.position} before"
    elif new.position == old.position:
        if new.hash != old.hash:
            yield f"partition {old.partition} has another entry at position {old.position}"
        elif new.digest != old.digest:
            yield f"partition {old.partition} has other rows in audit_log, although its last entry is the same"


def _is_same_state(before: Certificate, after: Certificate) -> bool:
    heads = [[(each.partition, each.position, each.hash) for each in of.partitions] for of in (before, after)]
    return heads[0] == heads[1] and _quarantined(before) == _quarantined(after)


def _redacted(certificate: Certificate) -> set[str] | None:
    return None if certificate.redacted is UNSET else {f"entry {id_}" for id_ in certificate.redacted}


def _quarantined(certificate: Certificate) -> set[str] | None:
    if certificate.quarantined is UNSET:
        return None
    return {f"org {each.org_id} from {each.partition}.{each.position} on" for each in certificate.quarantined}
