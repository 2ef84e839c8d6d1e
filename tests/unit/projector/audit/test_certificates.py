"""Certificates as files, and what `compare` says about two of them."""

from typing import Any

import pytest

from daybook_contracts.json.canonical import canonical_bytes, parse_canonical
from daybook_contracts.log.head import GENESIS, Head
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.log.place import NO_OFFSET
from daybook_projector.audit.reports.certificate import (
    CertificateFile,
    UnreadableCertificate,
    certificate_bytes,
    certify,
    read_certificate,
)
from daybook_projector.audit.reports.compare import compare
from daybook_projector.audit.verify.report import BEGINNING, PartitionReport, Quarantine, TableReport, Verified
from support.logbook import org, project

CONTINUED = "the second certificate was verified as the continuation of the first"
ALL = ("topic", "audit_log", "tables")
EXPORT = ("export",)
HEAD = Head(5, "a" * 64)


def report(partition: int = 0, redacted: tuple[str, ...] = (), head: Head = HEAD) -> PartitionReport:
    entries = head.position + 1
    offset = NO_OFFSET if head == GENESIS else head.position
    return PartitionReport(partition, entries, head, offset, 0, bytes(32), entries, redacted)


def certificate(
    *partitions: PartitionReport,
    scope: tuple[str, ...] = ALL,
    quarantined: tuple[Quarantine, ...] = (),
    since: str | None = None,
    findings: tuple[Finding, ...] = (),
) -> bytes:
    tables = (TableReport("orgs", 1, bytes(32)),)
    verified = Verified(scope, partitions, tables, quarantined, findings, unlisted=0)
    return certificate_bytes(certify(verified, made_at="2026-01-01T00:00:00.000000Z", daybook="1", since=since))


def read(value: bytes) -> CertificateFile:
    return read_certificate(value, "it")


def changes(first: bytes, second: bytes) -> tuple[str, ...]:
    compared = compare(read(first), read(second))
    assert compared.contradictions == ()
    return compared.changes


def test_a_redaction_that_is_undone_is_a_change() -> None:
    redacted, whole = certificate(report(redacted=(project(1),))), certificate(report())
    assert changes(whole, redacted) == (f"redacted: entry {project(1)}",)
    assert changes(redacted, whole) == (f"no longer redacted: entry {project(1)}",)


def test_a_continuation_lists_only_new_redactions() -> None:
    first = certificate(report(redacted=(project(1),)))
    later = certificate(report(redacted=(project(2),)), since=read(first).sha256)
    assert changes(first, later) == (CONTINUED, f"redacted: entry {project(2)}")
    assert changes(later, certificate(report(), since=read(first).sha256)) == ()


def test_lists_are_compared_only_if_both_certificates_have_them() -> None:
    quarantined = (Quarantine(org(1), 0, 3, "poison"),)
    whole = certificate(report(redacted=(project(1),)), quarantined=quarantined)
    topic = certificate(report(), scope=("topic",))
    assert changes(whole, topic) == changes(topic, whole) == ()
    assert changes(whole, certificate(report(redacted=(project(1),)))) == (
        f"no longer in quarantine: org {org(1)} from 0.3 on",
    )


def test_a_partition_that_an_export_does_not_list_counts_as_empty() -> None:
    live = certificate(report(0), report(1, head=GENESIS), scope=("topic",))
    export, nothing = certificate(report(0), scope=EXPORT), certificate(scope=EXPORT)
    assert changes(live, export) == changes(export, live) == changes(nothing, nothing) == ()
    grown = certificate(report(0), report(1, head=Head(0, "b" * 64)), scope=EXPORT)
    assert changes(live, grown) == changes(export, grown) == ("partition 1: 1 more entry, to position 0",)
    assert changes(nothing, export) == ("partition 0: 6 more entries, to position 5",)


@pytest.mark.parametrize("scope", [EXPORT, ("topic",)])
def test_entries_that_a_later_export_lacks_are_a_contradiction(scope: tuple[str, ...]) -> None:
    before, later = certificate(report(0), report(1), scope=scope), certificate(report(1), scope=EXPORT)
    contradiction = "partition 0 has no entries, and ended at position 5 before"
    assert compare(read(before), read(later)).contradictions == (contradiction,)


def test_a_certificate_of_servers_lists_every_partition() -> None:
    two, one = (certificate(*map(report, numbers), scope=("topic",)) for numbers in ((0, 1), (0,)))
    export = certificate(report(0), report(1), scope=EXPORT)
    for first, second in ((one, two), (two, one), (one, export), (export, one)):
        assert compare(read(first), read(second)).contradictions == ("only one of them has partition 1",)


def test_a_certificate_of_an_empty_partition_can_be_continued() -> None:
    starts = read(certificate(report(0, head=GENESIS), report(1))).starts()
    assert starts[0] == BEGINNING
    assert (starts[1].head, starts[1].offset) == (HEAD, 5)


def test_a_certificate_whose_last_entry_names_no_hash_is_read() -> None:
    assert read(certificate(report(head=Head(5, "")))).starts()[0].head == Head(5, "")


def test_a_certificate_of_an_export_with_a_filter_is_refused() -> None:
    filtered = PartitionReport(0, 3, HEAD, NO_OFFSET, 0, bytes(32), 3)
    with pytest.raises(UnreadableCertificate, match=r"^it is a certificate of an export with a filter, which has no "):
        read(certificate(report(1), filtered, scope=EXPORT))
    gap = Finding(check="missing", place="export", partition=0, position=2)
    assert read(certificate(filtered, scope=EXPORT, findings=(gap,))).certificate.result == "invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("digest", "zz"),
        ("digest", "A" * 64),
        ("digest", "a" * 64 + "\n"),
        ("digest", ""),
        ("hash", "z"),
        ("partition", -1),
        ("position", -2),
        ("entries", -1),
        ("offset", -2),
        ("voids", -1),
    ],
)
def test_a_certificate_with_a_malformed_member_is_refused(name: str, value: object) -> None:
    altered: Any = parse_canonical(certificate(report()))
    altered["partitions"][0][name] = value
    with pytest.raises(UnreadableCertificate, match="it is not a certificate"):
        read(canonical_bytes(altered))
