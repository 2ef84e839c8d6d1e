"""The queue of local commands, in the order in which batches take them. Keys take turns: however many commands another
key has waiting, at most two of them are ahead of a key's only command. The commands of a key stay in the order of their
arrival.
"""

from bisect import bisect
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice

from daybook_command.shard.arrivals import Arrival
from daybook_command.shard.intake import SentCommand

# When this many keys have had turns, and whenever their number has doubled, those that affect no turn are dropped.
KEYS_KEPT = 1_000


@dataclass(slots=True)
class Waiting:
    """The local commands that wait in all shards of a process, and their bytes."""

    count: int = 0
    size: int = 0


@dataclass(slots=True)
class LocalQueue:
    """`line`: the queued commands, by turn and number. `turn`: the latest turn from which a batch has taken a command.
    `last_turns`: by key, the turn of its last command; keys with earlier turns than `turn - 1` may be missing.
    `front`: how many commands the line has up to and including its last newcomer, which is a command that arrived when
    no other command of its key was waiting. `prune_at`: the number of keys at which `last_turns` is pruned next.

    `count` and `size`: of the commands that wait, queued or set aside; `counts` and `sizes` have them by key, and
    `of_process` has those of all shards together.
    """

    line: deque[Arrival] = field(default_factory=deque)
    turn: int = 0
    last_turns: dict[str, int] = field(default_factory=dict)
    front: int = 0
    prune_at: int = KEYS_KEPT
    count: int = 0
    size: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    of_process: Waiting = field(default_factory=Waiting)

    def add(self, number: int, command: SentCommand, size: int) -> None:
        """Start-time fair queueing with equal weights (Goyal, Vin and Cheng, 1996). Except for newcomers, all commands
        of the line have the turn `turn` or a later one, so a newcomer gets ahead of them. If its own key has just had a
        turn, at most two commands of each other key are ahead of it.
        """
        key = command.command.key
        turn = self.last_turns[key] = max(self.turn - 1, self.last_turns.get(key, -1) + 1)
        arrival = Arrival(turn=turn, number=number, content=command, size=size, key=key)
        place = self.requeue(arrival)
        if key not in self.counts:
            self.front = max(self.front, place + 1)
        self.charge(arrival, 1)

    def requeue(self, arrival: Arrival) -> int:
        """Returns the command's place in the line."""
        place = bisect(self.line, arrival)
        self.line.insert(place, arrival)
        self.front += place < self.front
        return place

    def charge(self, arrival: Arrival, sign: int) -> None:
        """A command begins (1) or ceases (-1) to wait."""
        key, size = arrival.key, sign * arrival.size
        self.count += sign
        self.size += size
        self.of_process.count += sign
        self.of_process.size += size
        count = self.counts.get(key, 0) + sign
        if count:
            self.counts[key], self.sizes[key] = count, self.sizes.get(key, 0) + size
        else:
            del self.counts[key], self.sizes[key]

    def remove(self, tickets: Collection[bytes]) -> None:
        """Take these commands out of the line. Keys that have none left get their unused turns back."""
        keys = {each.key for each in self.line if each.ticket in tickets}
        self.front -= sum(each.ticket in tickets for each in islice(self.line, self.front))
        self.line = deque(each for each in self.line if each.ticket not in tickets)
        for key in self.last_turns.keys() & keys - {each.key for each in self.line}:
            self.last_turns[key] = min(self.last_turns[key], self.turn)

    def taken(self, arrivals: Iterable[Arrival]) -> None:
        """A batch has taken these commands from the line."""
        turns = [each.turn for each in arrivals if each.offset is None]
        self.turn = max([self.turn, *turns])
        self.front = min(max(0, self.front - len(turns)), len(self.line))
        if not self.line:
            self.turn += 1  # so that keys without a second command are forgotten too
        if len(self.last_turns) >= self.prune_at:
            self.last_turns = {key: last for key, last in self.last_turns.items() if last >= self.turn - 1}
            self.prune_at = max(KEYS_KEPT, 2 * len(self.last_turns))
