"""What a batch costs in dead letters: how many its commands name or resolve, and whether enough of them were counted.

Enters: commands and orgs. It must not know how anything is counted.
"""

from collections.abc import Collection, Iterable
from typing import Final

from daybook_command.domain.activity import Activity
from daybook_command.domain.handlers import Backlog
from daybook_command.domain.references import PendingLetters
from daybook_command.domain.registry import HANDLERS, named_by
from daybook_command.domain.state import Org
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import BULK_IDS

COUNTED: Final = 101
"""Pending dead letters are counted at least up to this: the policy tells 0, 1 and 100 apart, also after one more."""


def filtered_by(command: Command) -> PendingLetters | None:
    """The filter of a bulk command. What it matches depends on every earlier command of its org, so a batch takes no
    other command of that org.
    """
    return named_by(command).filter


def names(command: Command) -> int:
    """How many dead letters are looked up for it at most."""
    named = named_by(command)
    return BULK_IDS if named.filter is not None else max(1, len(named.dead_letters))


def resolves(command: Command) -> int:
    """How many dead letters it resolves at most."""
    return names(command) if HANDLERS[type(command)].backlog is Backlog.SHRINKS else 0


def floor(command: Command) -> int:
    """A count that is only a lower bound must exceed this for the policy to be decided after the command."""
    return COUNTED - 3 if HANDLERS[type(command)].backlog is Backlog.GROWS else resolves(command)


def is_low(activity: Activity | None, bound: int) -> bool:
    return activity is not None and activity.more and activity.pending <= bound


def count_limit(commands: Iterable[Command]) -> int:
    """How far to count, so that all of these commands can be decided."""
    return COUNTED + sum(map(resolves, commands))


def highest_floor(commands: Collection[Command]) -> int:
    """A count above this is enough for each of these commands, whatever those before it resolve."""
    return sum(map(resolves, commands)) + max((floor(command) - resolves(command) for command in commands), default=0)


def uncounted(command: Command, org: Org | None) -> bool:
    """Whether the pending dead letters of its connection must be counted again before the command is decided."""
    bound = floor(command)
    if org is None or bound <= 0:
        return False
    connection = org.connections.get(_connection_id(command, org))
    return connection is not None and is_low(connection.activity, bound)


def _connection_id(command: Command, org: Org) -> str:
    """Of a command with a floor: the connection that it names, or that of its dead letter."""
    named = named_by(command)
    if named.connections:
        return named.connections[0]
    letter = org.dead_letters.get(named.dead_letters[0])
    return "" if letter is None else letter.connection_id
