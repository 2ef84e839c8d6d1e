"""Orgs: creating and renaming them. Their state is in state.py, because it contains the state of all nouns."""

from typing import Final

from immutables import Map
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import (
    NotFoldable,
    OpenFold,
    OpenHandler,
    OrgFold,
    OrgHandler,
    Ruling,
    Subject,
    Target,
)
from daybook_command.domain.permissions import ORG_ADMINS, Standing, Standings, org_standings
from daybook_command.domain.state import Org
from daybook_contracts.commands.orgs import CreateOrg, RenameOrg
from daybook_contracts.entries.facts import OrgCreated, OrgRenamed
from daybook_contracts.entries.fields import Role


def _target(command: CreateOrg | RenameOrg, _new_id: str, _org: Org | None) -> Target:
    return Target("org", command.org_id)


def _rights_to_create(command: CreateOrg, context: DecisionContext) -> Standings | Rejection:
    if command.actor_user_id is None:
        return frozenset({Standing.SERVICE})
    known = command.actor_user_id in context.known_users
    return frozenset({Standing.KNOWN_USER}) if known else rejections.USER_NOT_FOUND


def create_org(command: CreateOrg, org: Org | None, _context: DecisionContext) -> Ruling:
    return OrgCreated(name=command.data.name) if org is None else rejections.ORG_EXISTS


def rename_org(command: RenameOrg, org: Org, _context: DecisionContext) -> Ruling:
    name = command.data.name
    return OrgRenamed(name=name, changed=False) if name == org.name else OrgRenamed(name=name)


def _created(org: Org | None, actor_user_id: str | None, fact: OrgCreated) -> Org:
    if org is not None or actor_user_id is None:
        raise NotFoldable("an org is created once, by a user")
    founder: Role = "owner"
    return Org(name=fact.name, members=Map({actor_user_id: founder}), owners=1, projects=Map())


def _renamed(org: Org, fact: OrgRenamed) -> Org:
    return replace(org, name=fact.name)


HANDLERS: Final = (
    OpenHandler(CreateOrg, frozenset({Standing.KNOWN_USER}), Subject(_target), _rights_to_create, create_org),
    OrgHandler(RenameOrg, ORG_ADMINS, Subject(_target), org_standings, rename_org),
)
FOLDS: Final = (OpenFold(OrgCreated, _created), OrgFold(OrgRenamed, _renamed))
