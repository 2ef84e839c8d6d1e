"""Verifies one partition: the entries of the topic and of `audit_log` in, a report out. Each source is read once, and
both are compared entry by entry. The entries are folded on the way.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import orjson

from daybook_contracts.log.head import GENESIS, Checkpoint, Head
from daybook_projector.audit.checks.chain import Chain, Followed
from daybook_projector.audit.checks.columns import is_redacted
from daybook_projector.audit.checks.finding import Finding, Findings, Place
from daybook_projector.audit.fold.fold import PartitionFold
from daybook_projector.audit.log.place import SourceRecord
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import TopicLog
from daybook_projector.audit.verify.report import PartitionReport, Quarantine, Start
from daybook_projector.audit.verify.table_rows import TableRows
from daybook_projector.audit.verify.topic_entries import TopicEntries
from daybook_projector.partition.entry import PartitionEntry

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Task:
    """What to verify of a partition. `cut`: the checkpoint of the snapshot; None without PostgreSQL."""

    partition: int
    partitions: int
    start: Start
    cut: Checkpoint | None
    quarantined: tuple[Quarantine, ...] = ()
    org_id: str | None = None


class PartitionCheck:
    """Needs at least one source. Raises `KafkaAway` and `DatabaseAway`."""

    def __init__(
        self,
        task: Task,
        topic: TopicLog | None,
        table: TableLog | None,
        fold: PartitionFold | None,
        progress: Progress,
    ) -> None:
        self._task = task
        self._topic = topic
        self._table = table
        self._fold = fold
        self._progress = progress
        self._findings = Findings()
        self._place: Place = "audit_log" if topic is None else "topic"
        is_filtered = topic is None and task.org_id is not None
        self._chain = Chain(
            task.partition,
            self._place,
            partitions=task.partitions,
            is_filtered=is_filtered,
            is_folded=fold is not None,
        )
        self._chain.go_on_from(task.start.head, task.start.digest, task.start.offset)
        self._unfoldable: str | None = None
        self._wanted = 0

    async def run(self) -> PartitionReport:
        rows = None if self._table is None else self._table_rows(self._table)
        self._check_start()
        if self._topic is None:
            if rows is not None:
                async for page in rows.as_the_log():
                    self._take(page)
            return await self._report(rows, 0)
        entries = TopicEntries(self._topic, self._chain, self._task.start, self._task.cut, self._findings)
        async for page in entries.read():
            wanted = page if self._task.org_id is None else [each for each in page if self._is_wanted(each)]
            self._take(wanted)
            if rows is not None:
                await rows.compare(wanted)
        if rows is not None:
            await rows.finish()
        return await self._report(rows, entries.voids)

    def _table_rows(self, table: TableLog) -> TableRows:
        task = self._task
        if task.org_id is None:
            is_the_log = self._topic is None and task.start.head != GENESIS
            pages = self._after_start(table) if is_the_log else table.read(task.partition, task.start.head)
        else:
            pages = table.read_org(task.partition, task.org_id)
        return TableRows(pages, self._chain, task.cut, self._findings, is_of_org=task.org_id is not None)

    async def _after_start(self, table: TableLog) -> AsyncGenerator[list[SourceRecord], None]:
        """Reads also the row of the certified entry, to compare the time of the next one. Yields the rows after it."""
        start = self._task.start.head.position
        async with aclosing(table.read(self._task.partition, Head(start - 1, ""))) as pages:
            async for page in pages:
                for row in page:
                    if row.position == start:
                        self._chain.note_last_time(row.value)
                yield [row for row in page if row.position != start]

    def _check_start(self) -> None:
        """Reports the entries that a certificate vouches for and that the tables do not have yet."""
        start, cut = self._task.start.head.position, self._task.cut
        projected = start if cut is None else cut.head.position
        for position in range(projected + 1, start + 1):
            self._findings.add(
                Finding(check="missing", place="audit_log", partition=self._task.partition, position=position)
            )

    def _is_wanted(self, each: Followed) -> bool:
        """Whether a verification of one org needs the entry: it belongs to the org, or it cannot be read, so
        that its org is unknown.
        """
        return each.row_hash is None or each.org_id == self._task.org_id

    def _take(self, page: Sequence[Followed]) -> None:
        self._progress(len(page))
        self._wanted += len(page)
        for each in page:
            if each.finding is not None:
                self._findings.add(each.finding)
        if self._fold is not None:
            self._fold_page(self._fold, page)

    def _fold_page(self, fold: PartitionFold, page: Sequence[Followed]) -> None:
        entries = [each.entry for each in page if each.entry is not None]
        if self._topic is None and self._unfoldable is None:
            redacted = next((entry for entry in entries if _is_redacted_success(entry)), None)
            if redacted is not None:
                self._unfoldable = f"entry {self._task.partition}.{redacted.head.position} is redacted"
        if self._unfoldable is not None:
            return
        found = {each.position for each in page if each.finding is not None}
        for poison in fold.take(entries):
            if poison.position not in found:
                self._findings.add(self._poison(poison.position, poison.reason))

    def _poison(self, position: int, reason: str) -> Finding:
        return Finding(check="data", place=self._place, partition=self._task.partition, position=position, found=reason)

    async def _check_displaced(self, table: TableLog) -> None:
        """A row may have its second id only if its first id is another row's (docs/log.md, rule 19)."""
        for each in await table.needlessly_displaced():
            self._findings.add(
                Finding(
                    check="id",
                    place="audit_log",
                    partition=each.partition,
                    position=each.position,
                    expected=each.first_id,
                    found=each.second_id,
                )
            )

    async def _report(self, rows: TableRows | None, voids: int) -> PartitionReport:
        if self._table is not None:
            await self._check_displaced(self._table)
        for quarantine in self._task.quarantined:
            is_of_org = self._task.org_id in (None, quarantine.org_id)
            if is_of_org and quarantine.position > self._task.start.head.position:
                self._findings.add_unless_there(self._poison(quarantine.position, quarantine.reason))
        return PartitionReport(
            partition=self._task.partition,
            entries=self._task.start.entries + self._chain.entries,
            head=self._chain.head,
            offset=self._chain.head_offset,
            voids=voids,
            digest=self._chain.digest if rows is None else rows.digest,
            rows=self._task.start.entries + (self._chain.entries if rows is None else rows.count),
            redacted=tuple(self._chain.redacted if rows is None else rows.redacted),
            unfoldable=self._unfoldable,
            findings=tuple(self._findings.listed),
            unlisted=self._findings.unlisted,
            wanted=self._task.start.entries + self._wanted,
        )


def _is_redacted_success(entry: PartitionEntry) -> bool:
    """A failure changes no row, so a fold does not need its data."""
    if entry.poison is None or entry.columns is None or entry.columns.result == "failure":
        return False
    return is_redacted({"metadata_json": orjson.loads(entry.metadata)})
