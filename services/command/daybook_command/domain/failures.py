"""Makes the entry of a rejected command."""

from typing import Final

from daybook_command.domain.decision import DecisionContext, NewEntry, Rejection
from daybook_command.domain.handlers import Target
from daybook_command.domain.registry import HANDLERS
from daybook_command.domain.state import Org
from daybook_contracts.codes import SENTENCE
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.entry import EntryError
from daybook_contracts.entries.identity import Identity
from daybook_contracts.json.canonical import canonical_bytes

_NOT_IN_FAILURES: Final = frozenset(
    {"config", "payload", "secret_id_ref", "stats", "message", "error", "error_message", "reason"}
)
"""Large values and free text. They are left out, so that nobody can store them by sending commands that are rejected.
"""


def failed_entry(
    command: Command, rejection: Rejection, org: Org | None, context: DecisionContext, identity: Identity
) -> NewEntry:
    """`identity`: the entry's. A column has an id only if the thing exists; otherwise the id is in `data`.

    The entry of an outsider's command has only ids in `data`. If the command would have created something, the entry's
    own id is used as the id of the thing.
    """
    by_outsider, actor = identity.scope == "outsider", command.actor_user_id
    new_id, visible_org = (identity.first_id(), None) if by_outsider else (context.new_id, org)
    target = HANDLERS[type(command)].on.target(command, new_id, visible_org)
    org_id = None if org is None else command.org_id
    actor_user_id = actor if actor is not None and actor in context.known_users else None
    columns = {"org_id": (command.org_id, org_id), "actor_user_id": (actor, actor_user_id)}
    claimed = {name: id_ for name, (id_, column) in columns.items() if id_ is not None and column is None}
    return NewEntry(
        action=command.type,
        entity_type=target.entity_type,
        entity_id=target.entity_id,
        org_id=org_id,
        project_id=None if by_outsider else _existing_project(org, target),
        actor_user_id=actor_user_id,
        data=canonical_bytes(claimed) if by_outsider else failure_data(command, claimed),
        error=EntryError(code=str(rejection.code), detail=SENTENCE[rejection.code]),
    )


def _existing_project(org: Org | None, target: Target) -> str | None:
    return target.project_id if org is not None and target.project_id in org.projects else None


def failure_data(command: Command, claimed: dict[str, str]) -> bytes:
    """The JCS of the command's data and of `claimed`, the command's ids that the entry's columns lack. `claimed` needs
    no `project_id`, because the command's data has it.
    """
    kept = {name: value for name, value in command.data.to_json().items() if name not in _NOT_IN_FAILURES}
    return canonical_bytes(kept | claimed)
