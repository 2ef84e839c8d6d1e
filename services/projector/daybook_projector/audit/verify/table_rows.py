"""The rows of one partition in `audit_log`: compared with the topic's entries or, without a topic, read as the log
itself.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from msgspec import UNSET

from daybook_contracts.log.admission import VoidReason
from daybook_contracts.log.head import Checkpoint, Head
from daybook_projector.audit.checks import digest
from daybook_projector.audit.checks.chain import Chain, Followed
from daybook_projector.audit.checks.columns import is_redacted
from daybook_projector.audit.checks.entry_checks import judge
from daybook_projector.audit.checks.finding import Check, Finding, Findings, shown
from daybook_projector.audit.checks.own_checks import NO_HASH, Expected
from daybook_projector.audit.checks.quick_check import RUN
from daybook_projector.audit.log.place import SourceRecord

Pages = AsyncIterator[list[SourceRecord]]


class TableRows:
    """`rows`: pages in the order of positions. `chain`: the log of the topic, or, without a topic, the log that these
    rows form.
    """

    def __init__(
        self, rows: Pages, chain: Chain, cut: Checkpoint | None, findings: Findings, *, is_of_org: bool = False
    ) -> None:
        self._rows = rows
        self._chain = chain
        self._cut = cut
        self._findings = findings
        self._is_of_org = is_of_org
        self._waiting: list[SourceRecord] = []
        self._is_at_end = False
        self.digest = chain.digest
        self.count = 0
        self.redacted: list[str] = []

    async def compare(self, page: Sequence[Followed]) -> None:
        """Compares the topic's next entries with the rows at their positions."""
        if not page:
            return
        rows = await self._until(max(each.position for each in page))
        at: dict[int, list[SourceRecord]] = defaultdict(list)
        for row in rows:
            at[row.position].append(row)
        for entry in page:
            self._compare(entry, at.pop(entry.position, []))
        for others in at.values():
            for row in others:
                self._add(row, "surplus")

    async def finish(self) -> None:
        """Reads the rows that are left after the topic's last entry, and reports those that do not continue the log, or
        are after the checkpoint. The others show that the topic was cut off, which `TopicEntries` reports.
        """
        chain = Chain(self._chain.partition, "audit_log", partitions=self._chain.partitions)
        chain.go_on_from(self._chain.head, self._chain.digest)
        async for rows in self._pages():
            for row in rows:
                is_next = self._is_of_org and row.position > chain.head.position
                is_logged = is_next or not isinstance(chain.extend(row.offset, row.value), VoidReason)
                if not is_logged or self._cut is None or row.position > self._cut.head.position:
                    self._add(row, "surplus")

    async def as_the_log(self) -> AsyncIterator[list[Followed]]:
        """Yields the entries of the rows. If they end before the checkpoint's head, reports those that are missing."""
        async for rows in self._pages():
            for start in range(0, len(rows), RUN):
                yield self._followed(rows[start : start + RUN])
        self.digest, self.count = self._chain.digest, self._chain.entries
        self.redacted = self._chain.redacted
        if not self._is_of_org:
            self._check_end()

    def _followed(self, rows: list[SourceRecord]) -> list[Followed]:
        if all(row.fault is None for row in rows):
            taken = self._chain.extend_all([row.offset for row in rows], [row.value or b"" for row in rows])
            if taken is not None:
                return taken
        followed = []
        for row in rows:
            if row.position == self._chain.head.position:
                self._add(row, "surplus")
                continue
            followed.append(self._chain.follow(row.offset, row.value))
            self._note_fault(row)
        return followed

    def _check_end(self) -> None:
        head, cut = self._chain.head, self._cut
        if cut is None:
            return
        for position in range(head.position + 1, cut.head.position + 1):
            self._findings.add(self._finding("missing", position))
        if head.position == cut.head.position and head.hash not in (NO_HASH, cut.head.hash):
            self._findings.add(self._finding("hash", head.position, expected=cut.head.hash, found=head.hash))
        if head.position > cut.head.position:
            self._findings.add(self._finding("surplus", cut.head.position + 1))

    def _compare(self, entry: Followed, rows: list[SourceRecord]) -> None:
        if entry.row_hash is None:  # the record in the topic is no entry, which is a finding already
            for row in rows:
                self._extend_digest(row, None)
            return
        if not rows:
            self._findings.add(self._finding("missing", entry.position, id=_id(entry.value)))
            return
        same = next((row for row in rows if row.value == entry.value), rows[0])
        for row in rows:
            self._extend_digest(row, entry if row.value == entry.value else None)
            if row is not same:
                self._add(row, "surplus", is_digested=True)
        self._note_fault(same)
        if same.value != entry.value and same.value is not None:
            self._judge(entry, same.value)

    def _judge(self, entry: Followed, value: bytes) -> None:
        """Finds out why a row differs from the entry in the topic: the row is redacted, or altered."""
        logged: Any = orjson.loads(entry.value)
        row: Any = orjson.loads(value)
        before = Head(entry.position - 1, logged["metadata_json"]["prev"])
        judged = judge(value, Expected(self._chain.partition, before, "", self._chain.partitions))
        if judged.fault is not None:
            check, expected, found, field = judged.fault
            said = {"id": judged.entry_id, "field": field, "expected": expected, "found": found}
            self._findings.add(self._finding(check, entry.position, **said))
            return
        own, theirs = row["metadata_json"]["hash"], logged["metadata_json"]["hash"]
        if own != theirs:
            self._findings.add(self._finding("hash", entry.position, id=judged.entry_id, expected=theirs, found=own))
        elif is_redacted(row):
            self.redacted.append(row["id"])

    def _note_fault(self, row: SourceRecord) -> None:
        if row.fault is not None:
            check: Check = "unreadable" if row.value is None else "canonical"
            self._findings.add(self._finding(check, row.position, id=_id(row.value), found=row.fault))

    def _add(self, row: SourceRecord, check: Check, *, is_digested: bool = False) -> None:
        if not is_digested:
            self._extend_digest(row, None)
        self._findings.add(self._finding(check, row.position, id=_id(row.value)))

    def _extend_digest(self, row: SourceRecord, entry: Followed | None) -> None:
        self.count += 1
        if row.value is not None:
            row_hash = None if entry is None else entry.row_hash
            self.digest = digest.extended(self.digest, row_hash or digest.entry_row_hash(row.value))

    def _finding(self, check: Check, position: int, **members: Any) -> Finding:
        given: dict[str, Any] = {
            name: shown(member) for name, member in members.items() if member is not None and member is not UNSET
        }
        return Finding(check=check, place="audit_log", partition=self._chain.partition, position=position, **given)

    async def _until(self, position: int) -> list[SourceRecord]:
        """The next rows, up to and including this position."""
        while not self._is_at_end and (not self._waiting or self._waiting[-1].position <= position):
            try:
                self._waiting += await anext(self._rows)
            except StopAsyncIteration:
                self._is_at_end = True
        end = next((at for at, row in enumerate(self._waiting) if row.position > position), len(self._waiting))
        taken, self._waiting = self._waiting[:end], self._waiting[end:]
        return taken

    async def _pages(self) -> Pages:
        """All remaining rows."""
        if self._waiting:
            yield self._waiting
        async for page in self._rows:
            yield page


def _id(value: bytes | None) -> str | None:
    if value is None:
        return None
    found: Any = orjson.loads(value)["id"]
    return found if isinstance(found, str) else None
