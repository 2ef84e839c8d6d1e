"""Which commands have to wait for the next batch, because they or earlier commands have a filter."""

from collections.abc import Callable
from dataclasses import dataclass, field

from daybook_command.shard.arrivals import Arrival
from daybook_command.shard.intake import SentCommand, TakenCommand
from daybook_contracts.commands.registry import Command

IsOutsider = Callable[[Command], bool]


@dataclass(slots=True)
class Deferred:
    """Commands that wait for the next batch: a command with a filter is decided after all earlier commands of its org,
    and commands of other orgs do not wait for it. `seen`: keys that have a command in the batch. `closed`: keys of
    which the batch takes no more commands.
    """

    is_outsider: IsOutsider
    arrivals: list[Arrival] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)

    def letters_named(self, item: TakenCommand) -> int:
        """How many dead letters are looked up for the command. For an outsider's filter there is no look-up."""
        if not isinstance(item, SentCommand) or (item.named.filter and self.is_outsider(item.command)):
            return 0
        return item.named.most_letters

    def defers(self, item: TakenCommand) -> bool:
        """Whether the command must wait. If not, the caller must take it into the batch."""
        if not isinstance(item, SentCommand):
            return False
        key, has_filter = item.command.key, item.named.filter is not None
        if has_filter and key not in self.seen and key not in self.closed and self.is_outsider(item.command):
            return False  # no earlier command of the batch can make the actor a member
        if key in self.closed or (has_filter and key in self.seen):
            self.closed.add(key)
            return True
        self.seen.add(key)
        if has_filter:
            self.closed.add(key)
        return False
