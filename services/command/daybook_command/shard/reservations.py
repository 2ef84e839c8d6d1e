"""Whether the reservations of chosen ids can be relied on. After a loss or a restore of PostgreSQL they are behind the
log until every partition is projected up to where it ended at the shard's takeover (docs/log.md, rule 18).
"""

from collections.abc import Mapping

from daybook_command.domain.references import ChosenId
from daybook_command.domain.registry import named_by
from daybook_command.shard.intake import SentCommand, TakenCommand
from daybook_contracts.senders.principals import Service


def still_awaited(awaited: Mapping[int, int], next_offsets: Mapping[int, int]) -> dict[int, int]:
    """The partitions whose checkpoint has not passed the end that is awaited of them."""
    return {partition: end for partition, end in awaited.items() if next_offsets.get(partition, 0) < end}


def reserves(item: TakenCommand) -> ChosenId | None:
    """The ids that a command chooses, each with its table. A look-up reserves them for good: nobody but a service may
    take them from others.
    """
    if isinstance(item, SentCommand) and isinstance(item.principal, Service):
        return named_by(item.command).chosen
    return None
