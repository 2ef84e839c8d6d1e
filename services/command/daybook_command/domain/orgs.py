"""Decides on orgs themselves: making one and naming it."""

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.permissions import A_KNOWN_USER, A_SERVICE, in_org, may
from daybook_command.domain.state import Org
from daybook_command.domain.targets import accepted
from daybook_contracts.commands.orgs import CreateOrg, RenameOrg
from daybook_contracts.entries.facts import OrgCreated, OrgRenamed


def create_org(command: CreateOrg, org: Org | None, context: DecisionContext) -> Decision:
    actor = command.actor_user_id
    if actor is not None and actor not in context.known_users:
        return rejections.USER_NOT_FOUND
    if not may(command.type, A_SERVICE if actor is None else A_KNOWN_USER):
        return rejections.FORBIDDEN
    if org is not None:
        return rejections.ORG_EXISTS
    return accepted(command, org, context, OrgCreated(name=command.data.name))


def rename_org(command: RenameOrg, org: Org, context: DecisionContext) -> Decision:
    name = command.data.name
    if not may(command.type, in_org(org, command.actor_user_id)):
        return rejections.FORBIDDEN
    if name == org.name:
        return accepted(command, org, context, OrgRenamed(name=name, changed=False))
    return accepted(command, org, context, OrgRenamed(name=name))
