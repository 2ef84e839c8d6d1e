"""One shard and one projector, driven by hand: nothing fails, and each moves only when told to."""

from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.reading import read_entry
from support.simulation import World
from support.weather import CALM


class FairWeather(World):
    def __init__(self, users: frozenset[str]) -> None:
        super().__init__(1, [], users, weather=CALM)

    @property
    def shard(self) -> Shard:
        return self.writers[0][0].shard

    def take(self, *records: CommandRecord) -> list[Entry]:
        """Lets the shard decide the records, one batch each, and returns their entries."""
        log, before = self.around.logs[0].values, len(self.around.logs[0])
        for record in records:
            self.send(record)
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
