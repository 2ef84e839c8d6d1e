"""The dead letters that are looked up for a command: those that it names, or those that its filter matches."""

from daybook_command.domain.references import PendingLetters
from daybook_command.domain.registry import named_by
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import BULK_IDS


def filter_of(command: Command) -> PendingLetters | None:
    """The filter of a bulk command, or None. Its matches depend on every earlier command of the org, so a batch with it
    takes no other command of this org.
    """
    return named_by(command).filter


def letters_named(command: Command) -> int:
    """The most dead letters that are looked up for the command."""
    named = named_by(command)
    return BULK_IDS if named.filter is not None else max(1, len(named.dead_letters))
