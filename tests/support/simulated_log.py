"""The simulated log of one partition. Appends arrive at once, late or never; other writers add void records; records
are lost.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from daybook_command.shard.events import Acknowledged, AppendUnknown
from daybook_command.shard.records import LogRecord
from daybook_contracts.log.admission import Admitted, admit
from daybook_contracts.log.head import GENESIS, Head
from support.chain import Chain, hashed_at, jcs
from support.weather import Weather

Values = tuple[bytes, ...]


@dataclass(slots=True)
class Log:
    """`late`: batches whose writers have stopped waiting for them, and that may still be appended. `commands`: the
    command id of each admitted entry among the first `judged` records. `was_lost`: records have been lost.
    """

    values: list[bytes] = field(default_factory=list)
    late: list[Values] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    judged: int = 0
    head: Head = GENESIS
    was_lost: bool = False

    def __len__(self) -> int:
        return len(self.values)

    def records(self, start: int, stop: int | None = None) -> list[LogRecord]:
        end = len(self.values) if stop is None else stop
        return [LogRecord(offset, self.values[offset]) for offset in range(start, end)]

    def command_at(self, partition: int, position: int) -> str | None:
        """The command id of the admitted entry at this position; None if there is none."""
        for value in self.values[self.judged :]:
            verdict = admit(self.head, partition, value)
            if isinstance(verdict, Admitted):
                self.head = verdict.head
                self.commands.append(json.loads(value)["metadata_json"]["command_id"])
        self.judged = len(self.values)
        return self.commands[position] if position < len(self.commands) else None

    def append(self, values: Values, weather: Weather, draw: random.Random) -> Acknowledged | AppendUnknown:
        """At random, appends and acknowledges the batch, appends it without acknowledgement or without an offset, keeps
        it for later, or loses it.
        """
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

    def append_late(self, draw: random.Random) -> None:
        """Appends one of the late batches, if there are any."""
        if self.late:
            self.values += self.late.pop(draw.randrange(len(self.late)))

    def add_rogue(self, draw: random.Random, others: list[bytes]) -> None:
        """Appends a foreign record: one that is not JSON, or a copy of a record of this log or of another partition's
        (`others`).
        """
        known = [b"rogue", *self.values[-20:], *others[-20:]]
        self.values.append(draw.choice(known))

    def lose(self, first: int, partition: int, draw: random.Random) -> None:
        """Drops all records from offset `first` on. Replaces them with nothing, with void records, or with another
        history.
        """
        lost, self.values = self.values[first:], self.values[:first]
        self.was_lost = True
        match draw.randrange(3):
            case 0:
                pass
            case 1:
                self.values += [b"rogue"] * (len(lost) + draw.randrange(3))
            case _:
                self.values += another_history(partition, self.values, lost)


def another_history(partition: int, kept: Sequence[bytes], lost: Sequence[bytes]) -> list[bytes]:
    """Returns as many entries as there are lost records. They extend the kept entries with correct hashes."""
    chain = Chain(partition)
    for offset, value in enumerate(kept):
        chain.take(offset, value)
    (position, prev), made = chain.head, []
    template = next(json.loads(value) for value in lost if value.startswith(b"{"))
    for _ in lost:
        position += 1
        entry = hashed_at({**template, "created_at": "2027-01-16T08:00:00.000000Z"}, position, prev)
        prev = entry["metadata_json"]["hash"]
        made.append(jcs(entry))
    return made
