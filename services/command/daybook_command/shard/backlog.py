"""How commands on dead letters weigh on a batch: how many they name or resolve, and whether enough were counted.
Enters: commands and orgs. It must not know how anything is counted.
"""

from collections.abc import Collection, Iterable
from typing import Final

from daybook_command.domain.state import Activity, Org
from daybook_command.shard.lookup import Filtered
from daybook_contracts.commands.dead_letters import RecordDlqEvent, ResolveDlqEvent, ResolveDlqEvents, RetryDlqEvents
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import BULK_IDS

COUNTED: Final = 101
"""Pending dead letters that are counted at least: the policy tells 0, 1 and 100 apart, also after one more."""


def filtered_by(command: Command) -> Filtered | None:
    """The filter of a bulk command. What it matches depends on all commands of its org before it: no other one of the
    org is in its batch.
    """
    match command:
        case RetryDlqEvents(data=data) | ResolveDlqEvents(data=data) if data.filter is not None:
            return Filtered(data.connection_id, data.filter.max_retry_count)
        case _:
            return None


def names(command: Command) -> int:
    """How many dead letters are looked up for it at most."""
    match command:
        case RetryDlqEvents(data=data) | ResolveDlqEvents(data=data):
            return BULK_IDS if data.ids is None else len(data.ids)
        case _:
            return 1


def resolves(command: Command) -> int:
    """How many dead letters it resolves at most."""
    match command:
        case ResolveDlqEvent():
            return 1
        case ResolveDlqEvents(data=data):
            return BULK_IDS if data.ids is None else len(data.ids)
        case _:
            return 0


def floor(command: Command) -> int:
    """A count that is only a lower bound must be above this, or nobody can tell what the policy wants afterwards."""
    return COUNTED - 3 if isinstance(command, RecordDlqEvent) else resolves(command)


def is_low(activity: Activity | None, bound: int) -> bool:
    return activity is not None and activity.more and activity.pending <= bound


def count_limit(commands: Iterable[Command]) -> int:
    """So many are counted that all of these commands can be decided."""
    return COUNTED + sum(map(resolves, commands))


def highest_floor(commands: Collection[Command]) -> int:
    """What is above it is enough for each of these commands, whatever those before it resolve."""
    return sum(map(resolves, commands)) + max((floor(command) - resolves(command) for command in commands), default=0)


def uncounted(command: Command, org: Org | None) -> bool:
    """The pending ones of its connection must be counted again before the command is decided."""
    bound = floor(command)
    if org is None or bound <= 0:
        return False
    connection = org.connections.get(_connection_id(command, org))
    return connection is not None and is_low(connection.activity, bound)


def _connection_id(command: Command, org: Org) -> str:
    match command:
        case ResolveDlqEvent(data=data):
            letter = org.dead_letters.get(data.dlq_event_id)
            return "" if letter is None else letter.connection_id
        case ResolveDlqEvents(data=data) | RecordDlqEvent(data=data):
            return data.connection_id
        case _:
            return ""
