"""ADD_MEMBER, UPDATE_MEMBER and REMOVE_MEMBER, sent by an owner unless the test says otherwise."""

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Role
from support.given import ANN, BOB, CAT, DAN, EVE, NOBODY, command, given, person, project

CREATED = facts.OrgCreated(name="Acme")
BOB_AS_ADMIN = facts.MemberAdded(user_id=BOB, role="admin")
SOLE_OWNER = given(CREATED, BOB_AS_ADMIN, facts.MemberAdded(user_id=CAT, role="member"))
WITHOUT_BOB = given(CREATED, BOB_AS_ADMIN, facts.MemberRemoved(user_id=BOB, project_ids=()))
TWO_OWNERS = given(CREATED, facts.MemberAdded(user_id=BOB, role="owner"))
WEB, APP, OPS = project(1), project(2), project(3)
PROJECTS_MADE_OUT_OF_ORDER = tuple(facts.ProjectCreated(project_id=made, name="P") for made in (OPS, WEB, APP))
BOB_IN_PROJECTS = (
    CREATED,
    facts.MemberAdded(user_id=BOB, role="member"),
    facts.MemberAdded(user_id=CAT, role="member"),
    *PROJECTS_MADE_OUT_OF_ORDER,
    facts.ProjectMemberAdded(project_id=OPS, user_id=BOB, role="editor"),
    facts.ProjectMemberAdded(project_id=WEB, user_id=BOB, role="viewer"),
    facts.ProjectMemberAdded(project_id=APP, user_id=BOB, role="admin"),
    facts.ProjectMemberAdded(project_id=APP, user_id=CAT, role="admin"),
)
BUSY_BOB = given(*BOB_IN_PROJECTS)
LEFT_BY_BUSY_BOB = given(*BOB_IN_PROJECTS, facts.MemberRemoved(user_id=BOB, project_ids=(WEB, APP, OPS)))


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_an_owner_can_add_a_known_user_in_any_role(role: Role) -> None:
    added = SOLE_OWNER.when(command("ADD_MEMBER", by=ANN, user_id=EVE, role=role))
    after = added.then(facts.MemberAdded(user_id=EVE, role=role)).after()
    assert after.members[EVE] == role
    assert after.owners == (2 if role == "owner" else 1)


def test_an_unknown_user_cannot_be_added() -> None:
    SOLE_OWNER.when(command("ADD_MEMBER", by=ANN, user_id=NOBODY, role="member")).then_rejected(Code.USER_NOT_FOUND)


def test_the_right_to_add_is_checked_before_the_user() -> None:
    SOLE_OWNER.when(command("ADD_MEMBER", by=CAT, user_id=NOBODY, role="member")).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_a_member_cannot_be_added_again_in_any_role(role: Role) -> None:
    SOLE_OWNER.when(command("ADD_MEMBER", by=ANN, user_id=CAT, role=role)).then_rejected(Code.ALREADY_MEMBER)


def test_a_removed_member_can_be_added_again_and_is_in_no_project() -> None:
    added = LEFT_BY_BUSY_BOB.when(command("ADD_MEMBER", by=ANN, user_id=BOB, role="viewer"))
    after = added.then(facts.MemberAdded(user_id=BOB, role="viewer")).after()
    assert after.members[BOB] == "viewer"
    assert {id_: dict(made.members) for id_, made in after.projects.items()} == {WEB: {}, APP: {CAT: "admin"}, OPS: {}}


def test_a_members_role_can_be_changed() -> None:
    updated = SOLE_OWNER.when(command("UPDATE_MEMBER", by=ANN, user_id=CAT, role="owner"))
    after = updated.then(facts.MemberUpdated(user_id=CAT, role="owner")).after()
    assert (after.members[CAT], after.owners) == ("owner", 2)


def test_updating_a_member_to_its_current_role_changes_nothing() -> None:
    same = SOLE_OWNER.when(command("UPDATE_MEMBER", by=ANN, user_id=CAT, role="member"))
    assert same.then(facts.MemberUpdated(user_id=CAT, role="member", changed=False)).after() == same.before


def test_updating_a_viewer_to_viewer_lists_no_projects() -> None:
    viewer = given(CREATED, facts.MemberAdded(user_id=BOB, role="viewer"))
    same = viewer.when(command("UPDATE_MEMBER", by=ANN, user_id=BOB, role="viewer"))
    same.then(facts.MemberUpdated(user_id=BOB, role="viewer", changed=False))


@pytest.mark.parametrize("type_", ["UPDATE_MEMBER", "REMOVE_MEMBER"])
@pytest.mark.parametrize("user_id", [EVE, NOBODY], ids=["known", "unknown"])
def test_a_non_member_is_reported_before_rights_are_checked(type_: str, user_id: str) -> None:
    role = {"role": "viewer"} if type_ == "UPDATE_MEMBER" else {}
    SOLE_OWNER.when(command(type_, by=CAT, user_id=user_id, **role)).then_rejected(Code.MEMBER_NOT_FOUND)


def test_a_member_made_viewer_becomes_viewer_in_all_its_projects() -> None:
    lowered = BUSY_BOB.when(command("UPDATE_MEMBER", by=ANN, user_id=BOB, role="viewer"))
    after = lowered.then(facts.MemberUpdated(user_id=BOB, role="viewer", project_ids=(APP, OPS))).after()
    assert [after.projects[id_].members[BOB] for id_ in (WEB, APP, OPS)] == ["viewer"] * 3
    assert after.projects[APP].members[CAT] == "admin"


def test_a_member_without_projects_who_becomes_a_viewer_lists_no_projects() -> None:
    lowered = SOLE_OWNER.when(command("UPDATE_MEMBER", by=ANN, user_id=CAT, role="viewer"))
    lowered.then(facts.MemberUpdated(user_id=CAT, role="viewer", project_ids=()))


def test_a_new_role_other_than_viewer_keeps_the_project_roles() -> None:
    raised = BUSY_BOB.when(command("UPDATE_MEMBER", by=ANN, user_id=BOB, role="admin"))
    after = raised.then(facts.MemberUpdated(user_id=BOB, role="admin")).after()
    assert [after.projects[id_].members[BOB] for id_ in (WEB, APP, OPS)] == ["viewer", "admin", "editor"]


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
def test_demoting_the_last_owner_is_rejected(role: Role) -> None:
    SOLE_OWNER.when(command("UPDATE_MEMBER", by=ANN, user_id=ANN, role=role)).then_rejected(Code.LAST_OWNER)


def test_updating_the_last_owner_to_owner_changes_nothing() -> None:
    same = SOLE_OWNER.when(command("UPDATE_MEMBER", by=ANN, user_id=ANN, role="owner"))
    same.then(facts.MemberUpdated(user_id=ANN, role="owner", changed=False))


def test_removing_the_last_owner_is_rejected() -> None:
    SOLE_OWNER.when(command("REMOVE_MEMBER", by=ANN, user_id=ANN)).then_rejected(Code.LAST_OWNER)


@pytest.mark.parametrize("by", [BOB, CAT], ids=["admin", "member"])
def test_rights_are_checked_before_the_last_owner_rule(by: str) -> None:
    SOLE_OWNER.when(command("REMOVE_MEMBER", by=by, user_id=ANN)).then_rejected(Code.FORBIDDEN)
    SOLE_OWNER.when(command("UPDATE_MEMBER", by=by, user_id=ANN, role="viewer")).then_rejected(Code.FORBIDDEN)


def test_one_of_two_owners_may_be_demoted() -> None:
    demoted = TWO_OWNERS.when(command("UPDATE_MEMBER", by=ANN, user_id=BOB, role="member"))
    after = demoted.then(facts.MemberUpdated(user_id=BOB, role="member")).after()
    assert after.owners == 1


@pytest.mark.parametrize("user_id", [ANN, BOB], ids=["itself", "the other"])
def test_one_of_two_owners_may_be_removed(user_id: str) -> None:
    removed = TWO_OWNERS.when(command("REMOVE_MEMBER", by=ANN, user_id=user_id))
    after = removed.then(facts.MemberRemoved(user_id=user_id, project_ids=())).after()
    assert (user_id in after.members, after.owners) == (False, 1)


def test_removing_a_member_removes_it_from_its_projects_and_lists_their_ids_in_order() -> None:
    removed = BUSY_BOB.when(command("REMOVE_MEMBER", by=ANN, user_id=BOB))
    after = removed.then(facts.MemberRemoved(user_id=BOB, project_ids=(WEB, APP, OPS))).after()
    assert BOB not in after.members
    assert {id_: dict(made.members) for id_, made in after.projects.items()} == {WEB: {}, APP: {CAT: "admin"}, OPS: {}}


def test_removing_a_member_without_projects_lists_no_projects() -> None:
    leaving = given(CREATED, facts.MemberAdded(user_id=DAN, role="viewer"))
    left = leaving.when(command("REMOVE_MEMBER", by=DAN, user_id=DAN))
    left.then(facts.MemberRemoved(user_id=DAN, project_ids=()))


def test_a_removed_member_is_a_stranger() -> None:
    WITHOUT_BOB.when(command("RENAME_ORG", by=BOB, name="Mine")).then_rejected(Code.ORG_NOT_FOUND)


def test_a_demoted_admin_loses_its_rights() -> None:
    demoted = given(CREATED, BOB_AS_ADMIN, facts.MemberUpdated(user_id=BOB, role="member"))
    demoted.when(command("ADD_MEMBER", by=BOB, user_id=person(77), role="viewer")).then_rejected(Code.FORBIDDEN)
