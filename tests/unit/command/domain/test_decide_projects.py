"""CREATE_PROJECT and RENAME_PROJECT."""

from daybook_contracts.codes import Code
from daybook_contracts.entries import facts
from support.given import ANN, BOB, CAT, command, given, project, thing_id_of

WEB = project(1)
ACME = given(
    facts.OrgCreated(name="Acme"),
    facts.MemberAdded(user_id=BOB, role="admin"),
    facts.MemberAdded(user_id=CAT, role="member"),
    facts.ProjectCreated(project_id=WEB, name="Web"),
    facts.ProjectMemberAdded(project_id=WEB, user_id=CAT, role="admin"),
)


def test_a_new_project_gets_the_second_id_of_its_entry_and_has_no_members() -> None:
    create = command("CREATE_PROJECT", by=ANN, name="App")
    after = ACME.when(create).then(facts.ProjectCreated(project_id=thing_id_of(create), name="App")).after()
    made = after.projects[thing_id_of(create)]
    assert (made.name, dict(made.members)) == ("App", {})


def test_two_projects_may_have_the_same_name() -> None:
    create = command("CREATE_PROJECT", by=ANN, name="Web")
    ACME.when(create).then(facts.ProjectCreated(project_id=thing_id_of(create), name="Web"))


def test_renaming_a_project_changes_its_name_and_keeps_its_members() -> None:
    renamed = ACME.when(command("RENAME_PROJECT", by=CAT, project_id=WEB, name="New"))
    after = renamed.then(facts.ProjectRenamed(project_id=WEB, name="New")).after()
    assert (after.projects[WEB].name, dict(after.projects[WEB].members)) == ("New", {CAT: "admin"})


def test_renaming_a_project_to_its_current_name_changes_nothing() -> None:
    same = ACME.when(command("RENAME_PROJECT", by=ANN, project_id=WEB, name="Web"))
    assert same.then(facts.ProjectRenamed(project_id=WEB, name="Web", changed=False)).after() == same.before


def test_a_removed_project_admin_loses_its_rights() -> None:
    left = given(
        facts.OrgCreated(name="Acme"),
        facts.MemberAdded(user_id=CAT, role="member"),
        facts.ProjectCreated(project_id=WEB, name="Web"),
        facts.ProjectMemberAdded(project_id=WEB, user_id=CAT, role="admin"),
        facts.ProjectMemberRemoved(project_id=WEB, user_id=CAT),
    )
    left.when(command("RENAME_PROJECT", by=CAT, project_id=WEB, name="New")).then_rejected(Code.FORBIDDEN)
