"""The door's side of the short way: which commands go in memory to a shard of this instance, and which are published. A
plain state machine: no I/O, no clock.

The commands of a key stay in order. While one of them is published and undecided, later ones are published too. If
a shard holds a command that must be published, all unanswered commands of its key are published, in order.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from msgspec import Struct

from daybook_command.shard.arrivals import size_of
from daybook_command.shard.intake import SentCommand
from daybook_command.shard.records import DoorRecord

UNKNOWN_OFFSET = sys.maxsize
"""The offset of a command if it is not known whether, or where, the command was published."""
KEYS_KEPT = 1_000
"""When a partition has this many keys in `published_to`, and whenever their number has doubled, those whose commands
are decided are dropped.
"""


class OwnShards(Protocol):
    """The shards of this instance."""

    def takes_local(self, partition: int) -> bool: ...

    def decided_to(self, partition: int) -> int | None:
        """The offset below which all commands of the topic are decided; None if another instance owns the partition."""

    def has_room(self, partition: int, key: str, commands: int, size: int) -> bool:
        """Whether `commands` more commands of the key, of `size` bytes together, may be queued."""

    def queue_local(self, partition: int, commands: Sequence[SentCommand]) -> None: ...

    def withdraw(self, partition: int, tickets: Collection[bytes]) -> Collection[bytes]:
        """Take commands out of the queue. Returns the tickets of those that no batch had taken."""


class Offer(Enum):
    """What becomes of commands that the door offers. Nothing is done about them if the queues are FULL."""

    TAKEN = auto()
    FULL = auto()
    PUBLISH = auto()


class LocalCommand(Struct, eq=False):
    """A command that a shard holds. `key`: its routing key. `ticket`: its correlation id. `withdrawn`: the shard gave
    it back before a batch took it, so nothing was done about it.
    """

    partition: int
    key: str
    ticket: bytes
    record: DoorRecord
    command: SentCommand
    withdrawn: bool = False


@dataclass(slots=True)
class ShortWay:
    """`held`: the unanswered commands that shards hold, by ticket. `tickets`: by key, in order of arrival.
    `publishing`: by key, how many calls that publish its commands are not finished. `published_to`: by
    partition and key, the offset of the last published command that may be undecided. `prune_at`: by partition, the
    number of these keys at which they are pruned next.
    """

    shards: OwnShards
    held: dict[bytes, LocalCommand] = field(default_factory=dict)
    tickets: defaultdict[str, dict[bytes, None]] = field(default_factory=lambda: defaultdict(dict))
    publishing: Counter[str] = field(default_factory=Counter)
    published_to: defaultdict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    prune_at: dict[int, int] = field(default_factory=dict)

    def is_open(self, partition: int, key: str) -> bool:
        if key in self.publishing or not self.shards.takes_local(partition):
            return False
        published_to = self.published_to[partition].get(key)
        return published_to is None or self._is_decided(partition, published_to)

    def offer(self, partition: int, commands: Sequence[LocalCommand]) -> Offer:
        """Offer commands of one key to its shard, all or none of them. The way must be open (`is_open`)."""
        key, size = commands[0].key, sum([size_of(each.record) for each in commands])
        if not self.shards.has_room(partition, key, len(commands), size):
            return Offer.FULL
        for each in commands:
            self.held[each.ticket] = each
            self.tickets[key][each.ticket] = None
        self.shards.queue_local(partition, [each.command for each in commands])
        return Offer.TAKEN

    def settle(self, command: LocalCommand) -> None:
        """The command is answered, or nobody waits for its answer any more."""
        if self.held.pop(command.ticket, None) is None:
            return
        tickets = self.tickets[command.key]
        del tickets[command.ticket]
        if not tickets:
            del self.tickets[command.key]

    def fall_back(self, keys: Iterable[str]) -> list[LocalCommand]:
        """Withdraw the keys' commands. Returns the unanswered ones, each key's together and in order. The caller must
        then call `begin_publishing`, publish all of them unchanged, and call `end_publishing`.
        """
        commands = [self.held[ticket] for key in keys for ticket in self.tickets.get(key, ())]
        by_partition: defaultdict[int, set[bytes]] = defaultdict(set)
        for each in commands:
            by_partition[each.partition].add(each.ticket)
        for partition, tickets in by_partition.items():
            for ticket in self.shards.withdraw(partition, tickets):
                self.held[ticket].withdrawn = True
        for each in commands:
            self.settle(each)
        return commands

    def handed_back(self, queued: Iterable[bytes], taken: Iterable[bytes]) -> list[LocalCommand]:
        """A shard gives commands back. Returns what `fall_back` returns for their keys."""
        given_back = [*queued]
        for ticket in given_back:
            if ticket in self.held:
                self.held[ticket].withdrawn = True
        return self.fall_back({self.held[ticket].key: None for ticket in (*given_back, *taken) if ticket in self.held})

    def begin_publishing(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.publishing[key] += 1

    def end_publishing(self, partition: int, key: str, offsets: Sequence[int]) -> None:
        """`offsets`: of the key's commands that were or may have been published (UNKNOWN_OFFSET)."""
        self.publishing[key] -= 1
        if not self.publishing[key]:
            del self.publishing[key]
        if not offsets:
            return
        decided_to = self.shards.decided_to(partition)
        if decided_to is None:
            return  # after a takeover, the way opens only when the topic's commands are decided
        keys = self.published_to[partition]
        if len(keys) >= self.prune_at.get(partition, KEYS_KEPT):
            keys = {each: offset for each, offset in keys.items() if offset >= decided_to}
            self.published_to[partition] = keys
            self.prune_at[partition] = max(KEYS_KEPT, 2 * len(keys))
        before = keys.get(key, -1)
        keys[key] = max([*offsets, *([] if before == UNKNOWN_OFFSET else [before])])

    def leave(self, partition: int) -> None:
        """The partition was given away."""
        self.published_to.pop(partition, None)
        self.prune_at.pop(partition, None)

    def _is_decided(self, partition: int, offset: int) -> bool:
        decided_to = self.shards.decided_to(partition)
        return decided_to is not None and offset < decided_to
