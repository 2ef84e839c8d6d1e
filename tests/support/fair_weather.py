"""One shard and one projector without faults. Each takes a step only when the test tells it to."""

from typing import Any

from daybook_command.shard.machine import Shard
from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.reading import read_entry
from support.one_shard import ANN, sent
from support.simulation import World
from support.weather import CALM


class FairWeather(World):
    """Its only user is ANN."""

    def __init__(self) -> None:
        super().__init__(1, [], frozenset({ANN}), weather=CALM)

    @property
    def shard(self) -> Shard:
        return self.writers[0][0].shard

    def decide(self, kind: str, by: str | None = None, **data: Any) -> list[Entry]:
        """Lets the shard decide a command in a batch of one; returns the entries."""
        log, before = self.around.logs[0].values, len(self.around.logs[0])
        self.send(sent(len(self.sent), kind, by, **data))
        while self.around.committed[0] < len(self.around.topics[0]):
            self.writers[0][0].work(self.around)
        return [read_entry(value).entry for value in log[before:]]

    def replace_first(self) -> None:
        """A new shard takes over the partition, knowing only the tables and the log."""
        self.writers[0][0] = self._writer(0)

    def project(self) -> None:
        log, postgres = self.around.logs[0], self.around.postgres
        while postgres.now.checkpoint(0).next_offset < len(log):
            self.projectors[0][0].work(log, postgres, self.around.draw)

    def project_and_forget(self) -> None:
        """Projects all entries, and lets the shard forget them: it drops projected entries, and the things that only
        they touched, when its next batch ends.
        """
        self.project()
        self.decide("RENAME_ORG", ANN, name="b")
