"""The end of a partition's rows, when audit_log is verified without the topic."""

from collections.abc import AsyncIterator

import pytest

from daybook_contracts.log.head import Checkpoint, Head
from daybook_projector.audit.checks.chain import Chain
from daybook_projector.audit.checks.finding import Findings
from daybook_projector.audit.log.place import NO_OFFSET, SourceRecord
from daybook_projector.audit.verify.table_rows import TableRows
from support.altered_log import a_log

LAST = len(a_log()) - 1


async def findings_of(values: list[bytes], head: Head | None = None) -> list[tuple[str, object]]:
    """The check and position of each finding. `head`: the head in the checkpoint, if it is not the log's head."""
    whole = Chain(0, "audit_log", partitions=1)
    for value in a_log():
        whole.follow(NO_OFFSET, value)
    findings = Findings()
    cut = Checkpoint(LAST + 1, head or whole.head, LAST)
    rows = TableRows(pages(values), Chain(0, "audit_log", partitions=1), cut, findings)
    async for page in rows.as_the_log():
        for each in page:
            if each.finding is not None:
                findings.add(each.finding)
    return [(each.check, each.position) for each in findings.listed]


async def pages(values: list[bytes]) -> AsyncIterator[list[SourceRecord]]:
    yield [SourceRecord(0, position, NO_OFFSET, value) for position, value in enumerate(values)]


async def test_whole_rows_give_no_finding() -> None:
    assert await findings_of(a_log()) == []


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([*a_log()[:-1], b"garbage"], [("unreadable", LAST)]),
        (a_log()[:-1], [("missing", LAST)]),
    ],
)
async def test_a_fault_at_the_last_row_gives_exactly_one_finding(
    values: list[bytes], found: list[tuple[str, int]]
) -> None:
    assert await findings_of(values) == found


async def test_a_last_row_unlike_the_checkpoint_is_reported() -> None:
    assert await findings_of(a_log(), Head(LAST, "ab" * 32)) == [("hash", LAST)]
