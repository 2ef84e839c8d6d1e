"""The rows of a past state: the scratch files of its partitions in; each table's rows, in key order, out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from itertools import groupby, repeat
from pathlib import Path

import orjson

from daybook_projector.audit.fold.fold import PartitionFold, merged_rows
from daybook_projector.audit.replay.past import PastPartition, spill_paths
from daybook_projector.audit.replay.spilled import COPY_HEADER, COPY_TRAILER, NamedUsers, spilled_rows
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table

Rows = Iterator[tuple[bytes, bytes]]
"""Key and JCS, in the order of the keys."""


class PastRows:
    """The rows of all partitions, from the files in the folder. Close it."""

    def __init__(self, folder: Path, partitions: Sequence[PastPartition]) -> None:
        self.partitions = sorted(partitions, key=lambda past: past.partition)
        self._folder = folder
        self._stack = ExitStack()
        self._folds = [PartitionFold(folder, past.partition, {}) for past in self.partitions]
        for fold in self._folds:
            self._stack.callback(fold.close)

    @property
    def entries(self) -> int:
        return sum(past.entries for past in self.partitions)

    def rows(self, table: Table) -> Rows:
        """Key and JCS, in the order of the keys."""
        return merged_rows(self._folds, table)

    def users(self) -> Iterator[tuple[bytes, str | None]]:
        """The id of each user that an entry names, and the time when the user was registered, if an entry says so."""
        registered = ((key, str(orjson.loads(row)["created_at"])) for key, row in self.rows(AUTH_USERS))
        with ExitStack() as stack:
            stores = [NamedUsers(spill_paths(self._folder, past.partition)[1]) for past in self.partitions]
            for store in stores:
                stack.callback(store.close)
            named = merge(*(zip(store.ids(), repeat("")) for store in stores))
            for key, found in groupby(merge(registered, named), key=lambda each: each[0]):
                yield key, max(text for _, text in found) or None

    def audit_rows(self, advance: Callable[[int], None]) -> Iterator[bytes]:
        """The body of a binary COPY, in pieces. `advance` is called with the number of rows since its last call."""
        yield COPY_HEADER
        for past in self.partitions:
            yield from spilled_rows(spill_paths(self._folder, past.partition)[0])
            advance(past.entries)
        yield COPY_TRAILER

    def close(self) -> None:
        self._stack.close()
