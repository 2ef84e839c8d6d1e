"""Sets the actor of a command, which depends on the sender. HTTP and Kafka apply the same rule."""

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import refuse_oversize
from daybook_contracts.commands.registry import Command
from daybook_contracts.senders.principals import Principal, Service


def with_actor(command: Command, principal: Principal, written: int, refusal: str) -> Command:
    """The command with its actor. Users act only as themselves, so their commands need not name an actor. A service
    acts for the user whom the command names, or else as itself.

    `written`: the length of the command's text in bytes. Raises InvalidCommand if a user names another user (with the
    detail `refusal`, in which `{sender}` stands for the principal), or if the command with its actor is too large.
    """
    if isinstance(principal, Service) or command.actor_user_id == principal.user_id:
        return command
    if command.actor_user_id is not None:
        raise InvalidCommand(Code.FORBIDDEN, refusal.format(sender=principal), command.id)
    filled = command.model_copy(update={"actor_user_id": principal.user_id})
    refuse_oversize(filled, written)
    return filled
