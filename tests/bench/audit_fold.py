"""Prints the speed and the memory of the auditors' fold: `python tests/bench/audit_fold.py [--rows N]`. No server.

A generated log of one partition, which makes N rows, is folded to disk, read back, and compared with itself in place of
the live tables. The peak memory must not grow with N.
"""

import argparse
import resource
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[1]))

from msgspec import Raw

from bench.figures import say
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_contracts.entries.reading import LooseEntry
from daybook_contracts.log.head import Head
from daybook_projector.audit.checks.live_values import LiveRow
from daybook_projector.audit.fold.compare_rows import RowComparison
from daybook_projector.audit.fold.fold import PartitionFold, merged_rows
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.fold import TABLES, folds

PAGE = 1000
ORGS = 50
REMEMBERED = 5000
"""Runs and dead letters that later entries may change."""
METADATA = "m" * 850
"""As long as a typical entry's."""
CONFIG = free_json({"events": ["PURCHASE_APPROVED"], "secrets": {"hottok": "shop hottok"}})


class Log:
    """Entries of an integration hub. Of 100, about 33 start runs, 33 end them, 20 record dead letters, 10 retry
    them, and 4 rename the org.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._position = -1
        self._connections: list[tuple[str, str]] = []
        self._runs: list[tuple[str, str, str]] = []
        self._letters: list[tuple[str, str, str]] = []
        self.rows = 0

    def entries(self, rows: int) -> Iterator[PartitionEntry]:
        """Yields entries until there are `rows` rows. Nothing is deleted."""
        yield from chain.from_iterable(self._new_org() for _ in range(ORGS))
        while self.rows < rows:
            yield self._next()

    def _new_org(self) -> Iterator[PartitionEntry]:
        org_id, project_id = self._id(), self._id()
        yield self._entry(org_id, facts.OrgCreated(name="An org with a name"), rows=2)
        yield self._entry(org_id, facts.ProjectCreated(name="A project", project_id=project_id), rows=1)
        for _ in range(4):
            made = self._id()
            self._connections.append((org_id, made))
            yield self._entry(
                org_id,
                facts.ConnectionCreated(
                    config=CONFIG, connection_id=made, name="Shop", project_id=project_id, type="hotmart"
                ),
                rows=1,
            )

    def _next(self) -> PartitionEntry:
        org_id, connection_id = self._random.choice(self._connections)
        draw = self._random.random()
        if draw < 0.33 or not self._runs:
            made = self._remembered(self._runs, org_id, connection_id)
            return self._entry(org_id, facts.SyncStarted(connection_id=connection_id, sync_run_id=made), rows=1)
        if draw < 0.66:
            org_id, connection_id, run = self._runs.pop(self._random.randrange(len(self._runs)))
            return self._entry(org_id, facts.SyncCompleted(connection_id=connection_id, sync_run_id=run))
        if draw < 0.86 or not self._letters:
            made = self._remembered(self._letters, org_id, connection_id)
            payload = free_json({"event": "PURCHASE_APPROVED", "id": made, "price": {"value": 19.5}})
            recorded = facts.DlqEventRecorded(connection_id=connection_id, dlq_event_id=made, payload=payload)
            return self._entry(org_id, recorded, rows=1)
        if draw < 0.96:
            org_id, connection_id, letter = self._random.choice(self._letters)
            return self._entry(org_id, facts.DlqEventsRetried(connection_id=connection_id, ids=(letter,)))
        return self._entry(org_id, facts.OrgRenamed(name="Another name"))

    def _remembered(self, things: list[tuple[str, str, str]], org_id: str, connection_id: str) -> str:
        """A new thing, which replaces another one if too many are remembered."""
        made = (org_id, connection_id, self._id())
        if len(things) < REMEMBERED:
            things.append(made)
        else:
            things[self._random.randrange(REMEMBERED)] = made
        return made[2]

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128)))

    def _entry(self, org_id: str, fact: Fact, rows: int = 0) -> PartitionEntry:
        self._position += 1
        self.rows += rows
        columns = LooseEntry(
            action=type(fact).__name__,
            created_at=f"2026-11-22T15:10:13.{self._position % 1_000_000:06}Z",
            entity_id=org_id,
            entity_type="",
            id=org_id,
            metadata_json=Raw(b"{}"),
            result="success",
            actor_user_id=org_id,
            org_id=org_id,
        )
        head = Head(self._position, "")
        return PartitionEntry(
            offset=self._position,
            head=head,
            columns=columns,
            org_id=columns.org_id,
            metadata=METADATA,
            fact=fact,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="rows that the log makes")
    rows = parser.parse_args().rows
    say(f"{peak():.0f} MiB before the fold")
    with TemporaryDirectory() as folder:
        fold = PartitionFold(Path(folder), 0, folds(managed_users=True))
        fill(fold, rows)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        say(f"{size / 2**20:.0f} MiB on disk")
        compare(fold)
        fold.close()


def fill(fold: PartitionFold, rows: int) -> None:
    log, seconds, entries = Log(1), 0.0, 0
    made = log.entries(rows)
    tenth = rows // 10
    while page := list(islice(made, PAGE)):
        start = process_time()
        assert fold.take(page) == []
        seconds += process_time() - start
        entries += len(page)
        if log.rows >= tenth:
            say(f"{log.rows:>9} rows, {entries:>9} entries, {entries / seconds:>7.0f} entries/s, peak {peak():.0f} MiB")
            tenth += rows // 10


def compare(fold: PartitionFold) -> None:
    start, rows = process_time(), 0
    for table in TABLES:
        comparison = RowComparison(table, merged_rows([fold], table))
        live = (LiveRow(key, row) for key, row in merged_rows([fold], table))
        while page := list(islice(live, PAGE)):
            assert list(comparison.take(page)) == []
        assert list(comparison.finish()) == []
        rows += comparison.totals.rows
    say(f"{rows} rows compared, {rows / (process_time() - start):.0f} rows/s, peak {peak():.0f} MiB")


def peak() -> float:
    """The peak memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
