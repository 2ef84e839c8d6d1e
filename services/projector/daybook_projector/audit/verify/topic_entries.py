"""The entries of one partition of the topic, under the admission rule. If the log is broken, the reading continues
after the break.
"""

from collections.abc import AsyncIterator

from daybook_contracts.log.admission import VoidReason
from daybook_contracts.log.head import GENESIS, Checkpoint
from daybook_infra.runtime.kafka.lost_batch import offsets_of
from daybook_projector.audit.checks.chain import Chain, Followed
from daybook_projector.audit.checks.finding import Finding, Findings
from daybook_projector.audit.checks.forms import count
from daybook_projector.audit.checks.own_checks import NO_HASH
from daybook_projector.audit.checks.quick_check import RUN
from daybook_projector.audit.checks.readable import readable_object
from daybook_projector.audit.log.topic import Records, TopicLog
from daybook_projector.audit.verify.report import Start


class TopicEntries:
    """`cut`: the checkpoint that the log must reach; None reads to the log's end. `voids` counts the void records
    before the log's head.
    """

    def __init__(self, topic: TopicLog, chain: Chain, start: Start, cut: Checkpoint | None, findings: Findings) -> None:
        self._topic = topic
        self._chain = chain
        self._start = start
        self._cut = cut
        self._findings = findings
        self._void_records = start.voids
        self.voids = start.voids

    async def read(self) -> AsyncIterator[list[Followed]]:
        first, end = await self._topic.bounds(self._chain.partition)
        if self._start.head != GENESIS:
            await self._find_start(first, end)
        offset: int | None = max(first, self._chain.head_offset + 1)
        while offset is not None and not self._is_complete():
            break_ = _Break()
            async for page in self._read_from(offset, end, break_):
                yield page
            offset = None
            if not self._is_complete() and break_.value is not None:
                yield [self._chain.step_over(break_.offset, break_.value)]
                # The records after the break are read again, and the void ones among them counted again.
                self.voids = self._void_records = break_.voids
                offset = break_.offset + 1
        self._check_end()

    async def _read_from(self, offset: int, end: int, break_: "_Break") -> AsyncIterator[list[Followed]]:
        """Stops at the cut. Afterwards, `break_` has the place where the log is broken, if there is one."""
        async for records in self._topic.records(self._chain.partition, offset, end):
            page: list[Followed] = []
            for start in range(0, len(records), RUN):
                page += self._take(records[start : start + RUN], break_)
                if self._is_complete():
                    break
            yield page
            if self._is_complete():
                return

    def _take(self, records: Records, break_: "_Break") -> list[Followed]:
        """The entries among the records, up to the cut."""
        run = records if self._cut is None else records[: self._cut.head.position - self._chain.head.position]
        taken = self._chain.extend_all([each.offset for each in run], [each.value or b"" for each in run])
        if taken is None:
            return self._take_one_by_one(records, break_)
        self._note_entry(break_)
        return taken

    def _take_one_by_one(self, records: Records, break_: "_Break") -> list[Followed]:
        taken = []
        for record in records:
            followed = self._chain.extend(record.offset, record.value)
            if isinstance(followed, VoidReason):
                break_.note(record.offset, record.value, self._chain.head.position, self._void_records)
                self._void_records += offsets_of(record.value)
                continue
            self._note_entry(break_)
            taken.append(followed)
            if self._is_complete():
                break
        return taken

    def _note_entry(self, break_: "_Break") -> None:
        break_.forget()
        self.voids = self._void_records

    def _is_complete(self) -> bool:
        return self._cut is not None and self._chain.head.position >= self._cut.head.position

    async def _find_start(self, first: int, end: int) -> None:
        """Goes on from the record where the certificate ends. Adds a finding if the topic has no such record."""
        start = self._start
        offset = await self._offset_of_start(first, end)
        if offset is None:
            self._findings.add(
                Finding(
                    check="hash",
                    place="topic",
                    partition=self._chain.partition,
                    position=start.head.position,
                    expected=start.head.hash,
                )
            )
        elif offset != start.offset:
            self._chain.head_offset = offset
            # All records before an entry are earlier entries or void.
            self.voids = self._void_records = offset - start.head.position

    async def _offset_of_start(self, first: int, end: int) -> int | None:
        """Looks at the certified offset first. In a topic that was restored, the entry has another offset. A
        certificate that was made without the topic names no offset. No entry's offset is less than its position.
        """
        head, certified = self._start.head, self._start.offset
        for start, stop in ((certified, certified + 1), (head.position, end)):
            async for records in self._topic.records(self._chain.partition, max(first, start), min(stop, end)):
                for record in records:
                    if self._chain.note_last_time(record.value):
                        return record.offset
        return None

    def _check_end(self) -> None:
        head, cut = self._chain.head, self._cut
        if cut is None:
            return
        for position in range(head.position + 1, cut.head.position + 1):
            self._findings.add(
                Finding(check="missing", place="topic", partition=self._chain.partition, position=position)
            )
        if head.position == cut.head.position and head.hash not in (NO_HASH, cut.head.hash):
            self._findings.add(
                Finding(
                    check="hash",
                    place="topic",
                    partition=self._chain.partition,
                    position=head.position,
                    expected=cut.head.hash,
                    found=head.hash,
                )
            )


class _Break:
    """The first of the void records after the log's last entry that claims a later position than this entry. The
    records of a late writer claim earlier positions, and a record that claims none does not show where the log
    continues. `voids`: how many void records come before it.
    """

    def __init__(self) -> None:
        self.offset = -1
        self.value: bytes | None = None
        self.voids = 0

    def note(self, offset: int, value: bytes | None, last_position: int, voids: int) -> None:
        if self.value is None and value is not None and _claimed_position(value) > last_position:
            self.offset, self.value, self.voids = offset, value, voids

    def forget(self) -> None:
        self.value = None


def _claimed_position(value: bytes) -> int:
    """The position that a record claims; -1 if it claims none."""
    entry = readable_object(value)
    metadata = {} if entry is None else entry.get("metadata_json")
    claimed = count(metadata.get("position")) if isinstance(metadata, dict) else None
    return -1 if claimed is None else claimed
