"""ADD_PROJECT_MEMBER, UPDATE_PROJECT_MEMBER and REMOVE_PROJECT_MEMBER."""

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import ProjectRole
from support.given import ANN, BOB, CAT, DAN, EVE, NOBODY, command, given, project

WEB = project(1)
ACME = given(
    facts.OrgCreated(name="Acme"),
    facts.MemberAdded(user_id=BOB, role="member"),
    facts.MemberAdded(user_id=CAT, role="member"),
    facts.MemberAdded(user_id=DAN, role="viewer"),
    facts.ProjectCreated(project_id=WEB, name="Web"),
    facts.ProjectMemberAdded(project_id=WEB, user_id=CAT, role="editor"),
)
WITH_A_VIEWER = given(
    facts.OrgCreated(name="Acme"),
    facts.MemberAdded(user_id=DAN, role="viewer"),
    facts.ProjectCreated(project_id=WEB, name="Web"),
    facts.ProjectMemberAdded(project_id=WEB, user_id=DAN, role="viewer"),
)
MORE_DATA = {
    "ADD_PROJECT_MEMBER": {"role": "viewer"},
    "UPDATE_PROJECT_MEMBER": {"role": "viewer"},
    "REMOVE_PROJECT_MEMBER": dict[str, str](),
}


@pytest.mark.parametrize("role", ["admin", "editor", "viewer"])
def test_an_org_member_can_get_any_role_in_a_project(role: ProjectRole) -> None:
    added = ACME.when(command("ADD_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=BOB, role=role))
    after = added.then(facts.ProjectMemberAdded(project_id=WEB, user_id=BOB, role=role)).after()
    assert dict(after.projects[WEB].members) == {BOB: role, CAT: "editor"}


def test_an_owner_may_add_itself_to_a_project() -> None:
    joined = ACME.when(command("ADD_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=ANN, role="admin"))
    joined.then(facts.ProjectMemberAdded(project_id=WEB, user_id=ANN, role="admin"))


def test_an_org_viewer_can_join_a_project_as_viewer() -> None:
    joined = ACME.when(command("ADD_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=DAN, role="viewer"))
    joined.then(facts.ProjectMemberAdded(project_id=WEB, user_id=DAN, role="viewer"))


@pytest.mark.parametrize("role", ["admin", "editor"])
def test_an_org_viewer_can_only_be_viewer_in_a_project(role: ProjectRole) -> None:
    adding = command("ADD_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=DAN, role=role)
    ACME.when(adding).then_rejected(Code.FORBIDDEN)
    raising = command("UPDATE_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=DAN, role=role)
    WITH_A_VIEWER.when(raising).then_rejected(Code.FORBIDDEN)


def test_the_rule_for_org_viewers_is_checked_before_an_existing_membership() -> None:
    adding = command("ADD_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=DAN, role="editor")
    WITH_A_VIEWER.when(adding).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("user_id", [EVE, NOBODY], ids=["known", "unknown"])
@pytest.mark.parametrize("type_", MORE_DATA)
def test_a_user_outside_the_org_is_not_found(type_: str, user_id: str) -> None:
    attempt = command(type_, by=ANN, project_id=WEB, user_id=user_id, **MORE_DATA[type_])
    ACME.when(attempt).then_rejected(Code.MEMBER_NOT_FOUND)


def test_the_right_to_add_is_checked_before_the_user() -> None:
    adding = command("ADD_PROJECT_MEMBER", by=BOB, project_id=WEB, user_id=EVE, role="viewer")
    ACME.when(adding).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("type_", ["UPDATE_PROJECT_MEMBER", "REMOVE_PROJECT_MEMBER"])
def test_a_user_outside_the_project_is_reported_before_rights_are_checked(type_: str) -> None:
    attempt = command(type_, by=BOB, project_id=WEB, user_id=BOB, **MORE_DATA[type_])
    ACME.when(attempt).then_rejected(Code.MEMBER_NOT_FOUND)


def test_a_project_member_cannot_be_added_again_in_another_role() -> None:
    adding = command("ADD_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=CAT, role="viewer")
    ACME.when(adding).then_rejected(Code.ALREADY_MEMBER)


def test_a_project_members_role_can_be_changed() -> None:
    updated = ACME.when(command("UPDATE_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=CAT, role="admin"))
    after = updated.then(facts.ProjectMemberUpdated(project_id=WEB, user_id=CAT, role="admin")).after()
    assert after.projects[WEB].members[CAT] == "admin"


def test_updating_a_project_member_to_its_current_role_changes_nothing() -> None:
    same = ACME.when(command("UPDATE_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=CAT, role="editor"))
    unchanged = facts.ProjectMemberUpdated(project_id=WEB, user_id=CAT, role="editor", changed=False)
    assert same.then(unchanged).after() == same.before


def test_a_removed_project_member_stays_in_the_org() -> None:
    removed = ACME.when(command("REMOVE_PROJECT_MEMBER", by=ANN, project_id=WEB, user_id=CAT))
    after = removed.then(facts.ProjectMemberRemoved(project_id=WEB, user_id=CAT)).after()
    assert (after.members[CAT], dict(after.projects[WEB].members)) == ("member", {})
