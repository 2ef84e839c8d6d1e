"""CREATE_PROJECT and RENAME_PROJECT."""

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.entries import facts
from support.given import ANN, BOB, CAT, IMPORTER, command, given, made_by, project

WEB, FREE = project(1), project(2)
ACME = given(
    facts.OrgCreated(name="Acme"),
    facts.MemberAdded(user_id=BOB, role="admin"),
    facts.MemberAdded(user_id=CAT, role="member"),
    facts.ProjectCreated(project_id=WEB, name="Web"),
    facts.ProjectMemberAdded(project_id=WEB, user_id=CAT, role="admin"),
)


def test_a_new_project_takes_the_id_of_its_entry_and_has_no_members() -> None:
    create = command("CREATE_PROJECT", by=ANN, name="App")
    after = ACME.when(create).then(facts.ProjectCreated(project_id=made_by(create), name="App")).after()
    made = after.projects[made_by(create)]
    assert (made.name, dict(made.members)) == ("App", {})


def test_two_projects_may_have_the_same_name() -> None:
    create = command("CREATE_PROJECT", by=ANN, name="Web")
    ACME.when(create).then(facts.ProjectCreated(project_id=made_by(create), name="Web"))


def test_a_service_acting_for_an_admin_may_choose_the_id() -> None:
    chosen = command("CREATE_PROJECT", by=BOB, name="App", project_id=FREE)
    ACME.when(chosen, IMPORTER).then(facts.ProjectCreated(project_id=FREE, name="App"))


@pytest.mark.parametrize("by", [ANN, BOB], ids=["owner", "admin"])
def test_a_user_may_not_choose_the_id(by: str) -> None:
    ACME.when(command("CREATE_PROJECT", by=by, name="App", project_id=FREE)).then_rejected(Code.FORBIDDEN)


def test_a_user_cannot_find_out_which_ids_are_taken() -> None:
    probe = command("CREATE_PROJECT", by=ANN, name="App", project_id=FREE)
    taken, free = ACME.with_taken(FREE).when(probe), ACME.when(probe)
    assert taken.then_rejected(Code.FORBIDDEN).decision == free.decision


def test_a_service_without_an_actor_cannot_create_a_project() -> None:
    ACME.when(command("CREATE_PROJECT", name="App", project_id=FREE)).then_rejected(Code.FORBIDDEN)


def test_a_service_cannot_choose_an_id_used_in_the_org() -> None:
    again = command("CREATE_PROJECT", by=ANN, name="App", project_id=WEB)
    ACME.when(again, IMPORTER).then_rejected(Code.ALREADY_EXISTS)


def test_a_service_cannot_choose_an_id_used_in_another_org() -> None:
    elsewhere = command("CREATE_PROJECT", by=ANN, name="App", project_id=FREE)
    ACME.with_taken(FREE).when(elsewhere, IMPORTER).then_rejected(Code.ALREADY_EXISTS)


def test_rights_are_checked_before_the_chosen_id() -> None:
    taken = command("CREATE_PROJECT", by=CAT, name="App", project_id=FREE)
    ACME.with_taken(FREE).when(taken, IMPORTER).then_rejected(Code.FORBIDDEN)


def test_renaming_a_project_changes_its_name_and_keeps_its_members() -> None:
    renamed = ACME.when(command("RENAME_PROJECT", by=CAT, project_id=WEB, name="New"))
    after = renamed.then(facts.ProjectRenamed(project_id=WEB, name="New")).after()
    assert (after.projects[WEB].name, dict(after.projects[WEB].members)) == ("New", {CAT: "admin"})


def test_renaming_a_project_to_its_current_name_changes_nothing() -> None:
    same = ACME.when(command("RENAME_PROJECT", by=ANN, project_id=WEB, name="Web"))
    assert same.then(facts.ProjectRenamed(project_id=WEB, name="Web", changed=False)).after() == same.before


@pytest.mark.parametrize("by", [ANN, CAT, None], ids=["owner", "member", "service"])
def test_a_project_outside_the_org_is_reported_before_rights_are_checked(by: str | None) -> None:
    elsewhere = command("RENAME_PROJECT", by=by, project_id=FREE, name="New")
    ACME.with_taken(FREE).when(elsewhere).then_rejected(Code.PROJECT_NOT_FOUND)


def test_a_removed_project_admin_loses_its_rights() -> None:
    left = given(
        facts.OrgCreated(name="Acme"),
        facts.MemberAdded(user_id=CAT, role="member"),
        facts.ProjectCreated(project_id=WEB, name="Web"),
        facts.ProjectMemberAdded(project_id=WEB, user_id=CAT, role="admin"),
        facts.ProjectMemberRemoved(project_id=WEB, user_id=CAT),
    )
    left.when(command("RENAME_PROJECT", by=CAT, project_id=WEB, name="New")).then_rejected(Code.FORBIDDEN)
