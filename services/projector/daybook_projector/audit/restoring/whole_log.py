"""The entries of `audit_log` as the lost topic had them: a partition's entries from the first to the checkpoint's, each
with the bytes that were admitted. Memory is bounded.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from daybook_contracts.log.admission import VoidReason
from daybook_contracts.log.head import Head
from daybook_projector.audit.checks.chain import Chain, Followed
from daybook_projector.audit.checks.columns import is_redacted
from daybook_projector.audit.checks.finding import Check, Finding
from daybook_projector.audit.checks.own_checks import commit_fault
from daybook_projector.audit.log.place import NO_OFFSET, SourceRecord
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.reports.text import finding_text
from daybook_projector.audit.restoring.refused import Refused


async def whole_log(
    table: TableLog, partition: int, last: Head, partitions: int
) -> AsyncGenerator[list[Followed], None]:
    """`last`: the checkpoint's head. Raises `Refused` at the first entry that is missing, redacted, altered or surplus.

    An entry that no fold can apply is restored too. If its place, its hash and its commit are right, it is the entry
    that was written.
    """
    chain = Chain(partition, "audit_log", partitions=partitions, is_folded=True)  # so that the writer gets command ids
    async with aclosing(table.read(partition, chain.head)) as pages:
        async for page in pages:
            yield [_checked(chain, row, last) for row in page]
    if chain.head.position < last.position:
        raise _not_whole(_finding(chain, "missing", chain.head.position + 1))
    if chain.head.hash != last.hash:
        raise _not_whole(_finding(chain, "hash", last.position, expected=last.hash, found=chain.head.hash))


def _checked(chain: Chain, row: SourceRecord, last: Head) -> Followed:
    position = chain.head.position + 1
    if position < row.position <= last.position:
        raise _not_whole(_finding(chain, "missing", position))
    if row.position != position or position > last.position:
        raise _not_whole(_finding(chain, "surplus", row.position))
    if row.value is None or row.fault is not None:
        raise _not_whole(_finding(chain, "unreadable", position, found=row.fault))
    followed = chain.extend(NO_OFFSET, row.value)
    if isinstance(followed, VoidReason):
        stepped = chain.step_over(NO_OFFSET, row.value)
        raise _not_whole(stepped.finding or _finding(chain, "hash", position))
    if followed.finding is not None or chain.redacted:
        _judge(followed)
    return followed


def _judge(followed: Followed) -> None:
    """Raises `Refused` unless the entry is the one that was written."""
    finding = followed.finding
    entry = orjson.loads(followed.value)
    metadata = entry["metadata_json"]
    place = f"{metadata['partition']}.{followed.position}"
    if is_redacted(entry):
        raise Refused(
            f"entry {place}, id {entry.get('id')}, is redacted: its data is gone, so its record cannot be written again"
        )
    if commit_fault(entry, metadata) is not None:
        raise Refused(f"entry {place}, id {entry.get('id')}, has other data than its commit covers: it was altered")
    if finding is not None and finding.field == "metadata_json.partition":
        raise Refused(
            f"entry {place} belongs to partition {finding.expected}: DAYBOOK_PARTITIONS is not what it was when the "
            "log was written, or the entry was forged"
        )


def _finding(chain: Chain, check: Check, position: int, **members: Any) -> Finding:
    given = {name: member for name, member in members.items() if member is not None}
    return Finding(check=check, place="audit_log", partition=chain.partition, position=position, **given)


def _not_whole(finding: Finding) -> Refused:
    return Refused(
        f"audit_log is not whole: {finding_text(finding)}; run `daybook audit verify --scope audit_log` for details"
    )
