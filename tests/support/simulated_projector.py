"""The simulated projector of one partition. It reads the log with the projector's own code, and runs one transaction
per step. Several projectors may project the same partition.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from daybook_contracts.log.continuity import LogChanged, check_bounds
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.postgres.checkpoints import CheckpointLost
from support import simulated_postgres
from support.simulated_log import Log
from support.simulated_postgres import Postgres, Transaction


@dataclass(slots=True)
class Projector:
    """`ready`: the batch that is being written; `left`: its transactions that have not run yet."""

    partition: int
    partitions: int
    reader: PartitionLog | None = None
    ready: Batch | None = None
    left: deque[Transaction] = field(default_factory=deque)
    stopped: str | None = None

    def work(self, log: Log, postgres: Postgres, draw: random.Random) -> None:
        """One step: take over, read, prepare a batch, or run a transaction."""
        if self.stopped is not None:
            return
        try:
            self._step(log, postgres, draw)
        except CheckpointLost:
            self.reader = self.ready = None
        except LogChanged as changed:
            self.stopped = str(changed)

    def _step(self, log: Log, postgres: Postgres, draw: random.Random) -> None:
        if self.reader is None:
            checkpoint = postgres.now.checkpoint(self.partition)
            check_bounds(checkpoint.next_offset, 0, len(log))
            self.reader = PartitionLog(self.partition, checkpoint, partitions=self.partitions)
        elif self.ready is not None:
            self._write(self.reader, self.ready, postgres, draw)
        elif (batch := self.reader.next_batch(draw.randint(1, 12))) is not None:
            self.ready = batch
            self.left = deque(simulated_postgres.ONE_TRANSACTION)
        elif (start := self.reader.next_to_read) == len(log) and postgres.now.checkpoint(
            self.partition
        ) != self.reader.checkpoint:
            self.reader = None
        else:
            self.reader.take(log.records(start, min(len(log), start + draw.randint(1, 12))))

    def _write(self, reader: PartitionLog, batch: Batch, postgres: Postgres, draw: random.Random) -> None:
        postgres.run(self.left[0], batch)
        if draw.random() < 0.05:
            return  # committed, but the connection is lost, so the projector runs the transaction again
        self.left.popleft()
        if not self.left:
            reader.mark_projected(batch)
            self.ready = None
