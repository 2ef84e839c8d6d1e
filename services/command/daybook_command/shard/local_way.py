"""Whether the door may give commands to a shard in memory, instead of publishing them; and how it gets them back."""

from collections.abc import Sequence
from dataclasses import dataclass

from daybook_command.shard.arrivals import tickets_of
from daybook_command.shard.effects import Effect, HandBack
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.state import BatchInFlight

# After this many losses in a row, without an admitted batch between them, the way stays closed.
MAX_LOSSES = 2
# The reasons to take over again that count as losses: another entry came first ("lost"), the outcome of a batch is
# unknown, or the checkpoint contradicts memory ("retake").
LOSSES = frozenset({"lost", "unknown", "retake"})


@dataclass(slots=True)
class LocalWay:
    """`topic_end`: the end of the commands topic, seen after the shard's takeover; None until it has been read. Earlier
    commands of a key may be in the topic up to there, so the way opens when all of them are decided. `losses`: how many
    in a row.
    """

    topic_end: int | None = None
    losses: int = 0
    closed: bool = False

    def take_over_again(self, kind: str) -> None:
        """Close the way: until the topic's end is read again or, after too many losses, for ever."""
        self.topic_end = None
        self.losses += kind in LOSSES
        self.closed = self.closed or self.losses >= MAX_LOSSES

    def batch_stands(self) -> None:
        self.losses = 0

    def is_open(self, decided_to: int) -> bool:
        """`decided_to`: the offset below which all commands of the topic are decided."""
        return not self.closed and self.topic_end is not None and decided_to >= self.topic_end


def decided_to(inbox: Inbox, in_flight: BatchInFlight) -> int:
    """The offset below which all commands of the topic are decided."""
    deciding = [] if in_flight.first_offset is None else [in_flight.first_offset]
    return min([inbox.read_to, *inbox.waiting_offsets(), *deciding])


def hand_back(inbox: Inbox, queued: Sequence[bytes], in_flight: BatchInFlight) -> list[Effect]:
    """`queued`: what was withdrawn from the queue. The local commands in flight are handed back too."""
    local = [each for each in in_flight.arrivals if each.offset is None]
    inbox.clear_marks(local)
    return [HandBack(tuple(queued), tuple(tickets_of(local)))] if queued or local else []
