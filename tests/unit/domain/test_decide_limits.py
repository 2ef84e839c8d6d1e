"""An org that is full, and one that is large: bounds hold exactly, and size costs a decision next to nothing."""

import pytest
from immutables import Map

from daybook_command.domain.state import Org, Project
from daybook_contracts.codes import Code
from daybook_contracts.entry_data import MemberAdded, MemberRemoved, MemberUpdated, ProjectCreated, ProjectRenamed
from daybook_contracts.limits import ORG_MEMBERS, ORG_PROJECTS
from support.given import ANN, BOB, EVE, Given, command, person, project

WEB = project(1)


def org_of(members: int, projects: int) -> Given:
    """ANN owns it, BOB is a member of it and of every project; both count as members."""
    people = {person(number): "viewer" for number in range(1000, 1000 + members - 2)} | {ANN: "owner", BOB: "member"}
    made = {project(number): Project(name="P", members=Map({BOB: "editor"})) for number in range(1, projects + 1)}
    return Given(Org(name="Acme", members=Map(people), owners=1, projects=Map(made)), frozenset({ANN, BOB, EVE}))


@pytest.fixture(scope="module")
def full() -> Given:
    return org_of(ORG_MEMBERS, ORG_PROJECTS)


@pytest.fixture(scope="module")
def almost_full() -> Given:
    return org_of(ORG_MEMBERS - 1, ORG_PROJECTS - 1)


def test_the_last_place_of_an_org_can_be_taken(almost_full: Given) -> None:
    adding = command("ADD_MEMBER", by=ANN, user_id=EVE, role="viewer")
    after = almost_full.when(adding).then(MemberAdded(user_id=EVE, role="viewer")).after()
    assert after is not None
    assert len(after.members) == ORG_MEMBERS


def test_a_full_org_takes_no_more_members(full: Given) -> None:
    full.when(command("ADD_MEMBER", by=ANN, user_id=EVE, role="viewer")).then_rejected(Code.LIMIT_REACHED)


def test_a_member_of_a_full_org_is_a_member_already(full: Given) -> None:
    full.when(command("ADD_MEMBER", by=ANN, user_id=BOB, role="viewer")).then_rejected(Code.ALREADY_MEMBER)


def test_the_last_project_of_an_org_can_be_made(almost_full: Given) -> None:
    create = command("CREATE_PROJECT", by=ANN, name="Last")
    outcome = almost_full.when(create)
    after = outcome.then(ProjectCreated(project_id=outcome.facts.new_id, name="Last")).after()
    assert after is not None
    assert len(after.projects) == ORG_PROJECTS


def test_a_full_org_takes_no_more_projects(full: Given) -> None:
    full.when(command("CREATE_PROJECT", by=ANN, name="One more")).then_rejected(Code.LIMIT_REACHED)


def test_in_a_full_org_all_else_goes_on(full: Given) -> None:
    everywhere = tuple(project(number) for number in range(1, ORG_PROJECTS + 1))
    full.when(command("RENAME_PROJECT", by=ANN, project_id=WEB, name="New")).then(
        ProjectRenamed(project_id=WEB, name="New")
    )
    full.when(command("UPDATE_MEMBER", by=ANN, user_id=BOB, role="viewer")).then(
        MemberUpdated(user_id=BOB, role="viewer", project_ids=everywhere)
    )
    full.when(command("REMOVE_MEMBER", by=ANN, user_id=BOB)).then(MemberRemoved(user_id=BOB, project_ids=everywhere))
