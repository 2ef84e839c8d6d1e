"""Decides a command on the present state of an org. Pure: no clock, randomness or I/O; time and ids are passed in."""

from daybook_command.domain.decision import Acceptance, Decision, DecisionContext, Rejection
from daybook_command.domain.evolve import evolve
from daybook_command.domain.policies import Watched, policy_entries
from daybook_command.domain.registry import HANDLERS
from daybook_command.domain.state import Org
from daybook_contracts.commands.registry import Command


def decide(command: Command, org: Org | None, context: DecisionContext) -> Decision:
    """`org` is None if there is no org with the command's `org_id`."""
    decision: Decision = HANDLERS[type(command)].decision(command, org, context)
    if org is None or isinstance(decision, Rejection):
        return decision
    (entry,) = decision.entries
    if not isinstance(entry.fact, Watched):
        return decision
    after = evolve(org, command.actor_user_id, entry.fact)
    return Acceptance((entry, *policy_entries(command, entry.fact, org, after, context.principal)))
