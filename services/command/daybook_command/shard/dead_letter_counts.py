"""Limits for a batch's dead letters: how many its commands look up or resolve, and how far pending ones are counted."""

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
"""Pending dead letters are counted at least up to this. The policy must distinguish 0, 1 and 100 pending dead letters,
also after one more command.
"""


def filter_of(command: Command) -> PendingLetters | None:
    """The filter of a bulk command, or None. Its matches depend on every earlier command of the org, so a batch with it
    takes no other command of this org.
    """
    return named_by(command).filter


def letters_named(command: Command) -> int:
    """The most dead letters that are looked up for the command."""
    named = named_by(command)
    return BULK_IDS if named.filter is not None else max(1, len(named.dead_letters))


def letters_resolved(command: Command) -> int:
    """The most dead letters that the command resolves."""
    return letters_named(command) if HANDLERS[type(command)].backlog is Backlog.SHRINKS else 0


def count_floor(command: Command) -> int:
    """A count of pending dead letters that is only a lower bound must exceed this number. Otherwise the policy cannot
    be decided after the command.
    """
    return COUNTED - 3 if HANDLERS[type(command)].backlog is Backlog.GROWS else letters_resolved(command)


def is_count_low(activity: Activity | None, bound: int) -> bool:
    return activity is not None and activity.pending_is_lower_bound and activity.pending <= bound


def count_limit(commands: Iterable[Command]) -> int:
    """Where counting of pending dead letters may stop, so that all of these commands can be decided."""
    return COUNTED + sum(map(letters_resolved, commands))


def highest_count_floor(commands: Collection[Command]) -> int:
    """A count above this is enough for each of these commands, even if the others resolve as many as they can first."""
    return sum(map(letters_resolved, commands)) + max(
        (count_floor(command) - letters_resolved(command) for command in commands), default=0
    )


def needs_recount(command: Command, org: Org | None) -> bool:
    """Whether the pending dead letters of the command's connection must be counted again before it is decided."""
    bound = count_floor(command)
    if org is None or bound <= 0:
        return False
    connection = org.connections.get(_connection_id(command, org))
    return connection is not None and is_count_low(connection.activity, bound)


def _connection_id(command: Command, org: Org) -> str:
    """The connection that the command names, or that of its dead letter. Call it only if the count floor is above 0."""
    named = named_by(command)
    if named.connections:
        return named.connections[0]
    letter = org.dead_letters.get(named.dead_letters[0])
    return "" if letter is None else letter.connection_id
