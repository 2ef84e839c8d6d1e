"""The batch under way."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from daybook_command.shard.intake import TakenCommand
from daybook_command.shard.lookup import Needs
from daybook_command.shard.messages import Answer, CommandRecord, LogAppend
from daybook_contracts.log.head import GENESIS, Head


@dataclass(slots=True)
class Flight:
    """`records` are those that `taken` came from, none for the shard's own commands. `base` is the head it was decided
    on, `projected` the position that PostgreSQL had then.
    """

    records: Sequence[CommandRecord] = ()
    taken: Sequence[TakenCommand] = ()
    needs: Needs = field(default_factory=Needs)
    base: Head = GENESIS
    projected: int = -1
    appends: tuple[LogAppend, ...] = ()
    answer: Answer | None = None
