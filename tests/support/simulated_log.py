"""One partition's log: appends land, land late or never; others write void records; records are lost."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from daybook_command.shard.events import Acknowledged, AppendUnknown
from daybook_command.shard.records import LogRecord
from support.chain import Chain, jcs, sealed
from support.weather import Weather

Values = tuple[bytes, ...]


@dataclass(slots=True)
class Log:
    """`late`: batches whose writers gave up waiting, and that may still land."""

    values: list[bytes] = field(default_factory=list)
    late: list[Values] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values)

    def records(self, start: int, stop: int | None = None) -> list[LogRecord]:
        end = len(self.values) if stop is None else stop
        return [LogRecord(offset, self.values[offset]) for offset in range(start, end)]

    def append(self, values: Values, weather: Weather, draw: random.Random) -> Acknowledged | AppendUnknown:
        """The batch is acknowledged, appended without acknowledgement or offset, still on its way, or lost."""
        fate = draw.random()
        if fate < weather.lost:
            return AppendUnknown()
        fate -= weather.lost
        if fate < weather.late:
            self.late.append(values)
            return AppendUnknown()
        fate -= weather.late
        base = len(self.values)
        self.values += values
        if fate < weather.silent:
            return AppendUnknown()
        return Acknowledged(None if fate < weather.silent + weather.without_offset else base)

    def land_late(self, draw: random.Random) -> None:
        if self.late:
            self.values += self.late.pop(draw.randrange(len(self.late)))

    def take_rogue(self, draw: random.Random, others: list[bytes]) -> None:
        """Appends a foreign record: not JSON, a copy of one in the log, or one of another partition."""
        known = [b"rogue", *self.values[-20:], *others[-20:]]
        self.values.append(draw.choice(known))

    def lose(self, first: int, partition: int, draw: random.Random) -> None:
        """Drops everything from offset `first` on; in its place come nothing, void records or another history."""
        lost, self.values = self.values[first:], self.values[:first]
        match draw.randrange(3):
            case 0:
                pass
            case 1:
                self.values += [b"rogue"] * (len(lost) + draw.randrange(3))
            case _:
                self.values += another_history(partition, self.values, lost)


def another_history(partition: int, kept: Sequence[bytes], lost: Sequence[bytes]) -> list[bytes]:
    """As many entries as were lost, which follow the kept ones with valid hashes."""
    chain = Chain(partition)
    for offset, value in enumerate(kept):
        chain.take(offset, value)
    (position, prev), made = chain.head, []
    template = next(json.loads(value) for value in lost if value.startswith(b"{"))
    for _ in lost:
        position += 1
        entry = sealed({**template, "created_at": "2027-01-16T08:00:00.000000Z"}, position, prev)
        prev = entry["metadata_json"]["hash"]
        made.append(jcs(entry))
    return made
