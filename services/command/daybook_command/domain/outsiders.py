"""Refusals to somebody with no standing in the org: who is an outsider, and what the log keeps of the attempt."""

from daybook_command.domain.state import Org
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.json.canonical import canonical_bytes


def is_outsider(command: Command, org: Org | None) -> bool:
    """Whether a refusal of the command is an outsider's: its named actor is no member of the org, or registers somebody
    else. A service that names no actor never is one.
    """
    actor = command.actor_user_id
    if actor is None:
        return False
    if isinstance(command, RegisterUser):
        return actor != command.data.user_id
    return org is None or actor not in org.members


def outsider_data(claimed: dict[str, str | None]) -> bytes:
    """The JCS of the ids that have no column, and nothing else: an attempt must not be a way to fill another's log."""
    return canonical_bytes({name: id_ for name, id_ in claimed.items() if id_ is not None})
