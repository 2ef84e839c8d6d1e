"""A decision's entries, without position, time, salt and hashes.

A column names only what exists after the command, so that its foreign key always holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from daybook_command.domain.decision import Acceptance, DecisionContext, NewEntry, Rejection
from daybook_command.domain.handlers import Target
from daybook_command.domain.registry import FOLDS, HANDLERS
from daybook_command.domain.state import Org
from daybook_contracts.codes import SENTENCE
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.entry import EntryError
from daybook_contracts.entries.fields import Fact, encode_fact
from daybook_contracts.entries.identity import Identity
from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.senders.principals import DAYBOOK, Principal

_NOT_IN_FAILURES: Final = frozenset(
    {"config", "payload", "secret_id_ref", "stats", "message", "error", "error_message", "reason"}
)
"""Large values and free text, which nobody may store by sending commands that are refused."""


@dataclass(frozen=True, slots=True)
class Draft:
    action: str
    entity_type: str
    entity_id: str
    org_id: str | None
    project_id: str | None
    actor_user_id: str | None
    data: bytes
    """JCS"""
    error: EntryError | None
    fact: Fact | None
    """What changes the org; None for a failure."""
    principal: Principal | None = None
    """The entry's principal, if it is not the command's sender."""


def drafts(
    command: Command, decision: Acceptance | Rejection, org: Org | None, context: DecisionContext, standing: Identity
) -> tuple[Draft, ...]:
    """`org` is the state before the command, `standing` the identity of its first entry. A rejection is one entry, an
    acceptance one per entry of the decision.
    """
    match decision:
        case Acceptance(entries=entries):
            return tuple(_success(entry, command) for entry in entries)
        case Rejection():
            return (_failure(command, decision, org, context, standing),)
        case _:
            assert_never(decision)


def _success(entry: NewEntry, command: Command) -> Draft:
    """Everything that it names exists after the command, also a user who registered itself and a new org. An entry of a
    policy has no actor.
    """
    return Draft(
        action=entry.action,
        entity_type=entry.entity_type,
        entity_id=entry.entity_id,
        org_id=command.org_id,
        project_id=entry.project_id,
        actor_user_id=None if entry.by_policy else command.actor_user_id,
        data=encode_fact(entry.data),
        error=None,
        fact=entry.data,
        principal=DAYBOOK if entry.by_policy else None,
    )


def _failure(
    command: Command, rejected: Rejection, org: Org | None, context: DecisionContext, standing: Identity
) -> Draft:
    """A column holds an id only if the thing exists; otherwise the id is in `data`. An outsider's attempt leaves only
    ids, and the entry's own id stands for the thing that it would have created.
    """
    outside, actor = standing.scope == "outsider", command.actor_user_id
    new_id, seen = (standing.first_id(), None) if outside else (context.new_id, org)
    target = HANDLERS[type(command)].on.target(command, new_id, seen)
    org_id = None if org is None else command.org_id
    actor_user_id = actor if actor is not None and actor in context.known_users else None
    columns = {"org_id": (command.org_id, org_id), "actor_user_id": (actor, actor_user_id)}
    claimed = {name: id_ for name, (id_, column) in columns.items() if id_ is not None and column is None}
    return Draft(
        action=command.type,
        entity_type=target.entity_type,
        entity_id=target.entity_id,
        org_id=org_id,
        project_id=None if outside else _existing_project(org, target),
        actor_user_id=actor_user_id,
        data=canonical_bytes(claimed) if outside else failure_data(command, claimed),
        error=EntryError(code=rejected.code.value, detail=SENTENCE[rejected.code]),
        fact=None,
    )


def _existing_project(org: Org | None, target: Target) -> str | None:
    return target.project_id if org is not None and target.project_id in org.projects else None


def failure_data(command: Command, claimed: dict[str, str]) -> bytes:
    """The JCS of the command's data, with the claimed ids that have no column. A `project_id` is in the data anyway."""
    kept = {name: value for name, value in command.data.to_json().items() if name not in _NOT_IN_FAILURES}
    return canonical_bytes(kept | claimed)


def users_in(draft: Draft) -> Iterator[str]:
    """The users whom the entry, or a row made from it, refers to: the tables must have them. Of a refused command that
    is at most its actor.
    """
    if draft.actor_user_id is not None:
        yield draft.actor_user_id
    if draft.fact is not None:
        yield from FOLDS[type(draft.fact)].users(draft.fact)
