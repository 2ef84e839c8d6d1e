"""Who acts: a command and its sender in, the command with its actor out. HTTP and Kafka apply the same rule."""

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import refuse_oversize
from daybook_contracts.commands.registry import Command
from daybook_contracts.senders.principals import Principal, Service


def with_actor(command: Command, principal: Principal, written: int, refusal: str) -> Command:
    """A user acts only as itself, so its commands need not name it. A service acts for the user whom the command names,
    or as itself.

    `written`: how many bytes the command was parsed from. Raises InvalidCommand if a user names another user
    (`refusal` is the detail), or if the command with its actor is too large.
    """
    if isinstance(principal, Service) or command.actor_user_id == principal.user_id:
        return command
    if command.actor_user_id is not None:
        raise InvalidCommand(Code.FORBIDDEN, refusal, command.id)
    filled = command.model_copy(update={"actor_user_id": principal.user_id})
    refuse_oversize(filled, written)
    return filled
