"""Each fold of users, orgs, members and projects turns an entry into exactly the expected row changes."""

import pytest
from msgspec import UNSET

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.reading import read_entry
from daybook_projector.projections.audit_log import AUDIT_LOG, audit_row
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Change, Delete, FoldError, Insert, Update
from daybook_projector.projections.fold import fold, folds, key_rows
from daybook_projector.projections.org_members import ORG_MEMBERS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.projects import PROJECTS
from support.logbook import Logbook, org, project, user

ORG, ANN, BOB, ONE, TWO = org(1), user(1), user(2), project(1), project(2)
AT = "2026-09-21T14:13:20.000000Z"


def folded(fact: Fact, *, managed: bool = True) -> list[Change]:
    """The row changes of a successful entry by ANN that is the first of its log."""
    log = Logbook()
    log.add(None if isinstance(fact, facts.UserRegistered) else ORG, ANN, fact)
    return list(fold(folds(managed_users=managed), read_entry(log.records[0][0] or b"").entry, fact))


def test_a_registered_user_is_inserted() -> None:
    assert folded(facts.UserRegistered(user_id=BOB)) == [Insert(AUTH_USERS, {"id": BOB, "created_at": AT})]


def test_users_of_an_identity_provider_are_not_inserted() -> None:
    assert folded(facts.UserRegistered(user_id=BOB), managed=False) == []


def test_the_creator_of_an_org_becomes_its_owner() -> None:
    assert folded(facts.OrgCreated(name="Acme")) == [
        Insert(ORGS, {"id": ORG, "name": "Acme", "created_at": AT}),
        Insert(ORG_MEMBERS, {"org_id": ORG, "user_id": ANN, "role": "owner", "created_at": AT}),
    ]


def test_renaming_an_org_updates_only_its_name() -> None:
    assert folded(facts.OrgRenamed(name="Ace")) == [Update(ORGS, (ORG,), {"name": "Ace"})]


def test_a_member_is_inserted_with_its_role() -> None:
    (change,) = folded(facts.MemberAdded(role="admin", user_id=BOB))
    assert change == Insert(ORG_MEMBERS, {"org_id": ORG, "user_id": BOB, "role": "admin", "created_at": AT})


def test_a_new_role_updates_only_the_role() -> None:
    (change,) = folded(facts.MemberUpdated(role="admin", user_id=BOB))
    assert change == Update(ORG_MEMBERS, (ORG, BOB), {"role": "admin"})


def test_demoting_to_viewer_also_demotes_in_the_listed_projects() -> None:
    assert folded(facts.MemberUpdated(role="viewer", user_id=BOB, project_ids=(ONE, TWO))) == [
        Update(ORG_MEMBERS, (ORG, BOB), {"role": "viewer"}),
        Update(PROJECT_MEMBERS, (ONE, BOB), {"role": "viewer"}),
        Update(PROJECT_MEMBERS, (TWO, BOB), {"role": "viewer"}),
    ]


def test_removing_a_member_also_removes_it_from_the_listed_projects() -> None:
    assert folded(facts.MemberRemoved(user_id=BOB, project_ids=(ONE, TWO))) == [
        Delete(ORG_MEMBERS, (ORG, BOB)),
        Delete(PROJECT_MEMBERS, (ONE, BOB)),
        Delete(PROJECT_MEMBERS, (TWO, BOB)),
    ]


def test_a_project_is_inserted_without_members() -> None:
    (change,) = folded(facts.ProjectCreated(name="Site", project_id=ONE))
    assert change == Insert(PROJECTS, {"id": ONE, "org_id": ORG, "name": "Site", "created_at": AT})


def test_renaming_a_project_updates_only_its_name() -> None:
    assert folded(facts.ProjectRenamed(name="Shop", project_id=ONE)) == [Update(PROJECTS, (ONE,), {"name": "Shop"})]


def test_project_members_are_inserted_updated_and_deleted() -> None:
    (change,) = folded(facts.ProjectMemberAdded(project_id=ONE, role="editor", user_id=BOB))
    assert change == Insert(PROJECT_MEMBERS, {"project_id": ONE, "user_id": BOB, "role": "editor", "created_at": AT})
    (change,) = folded(facts.ProjectMemberUpdated(project_id=ONE, role="admin", user_id=BOB))
    assert change == Update(PROJECT_MEMBERS, (ONE, BOB), {"role": "admin"})
    assert folded(facts.ProjectMemberRemoved(project_id=ONE, user_id=BOB)) == [Delete(PROJECT_MEMBERS, (ONE, BOB))]


@pytest.mark.parametrize(
    "fact",
    [
        facts.UserRegistered(user_id=BOB, changed=False),
        facts.OrgRenamed(name="Acme", changed=False),
        facts.MemberUpdated(role="viewer", user_id=BOB, project_ids=(ONE,), changed=False),
        facts.ProjectRenamed(name="Site", project_id=ONE, changed=False),
        facts.ProjectMemberUpdated(project_id=ONE, role="admin", user_id=BOB, changed=False),
    ],
)
def test_an_entry_without_a_change_changes_no_row(fact: Fact) -> None:
    assert folded(fact) == []


def test_a_failure_changes_no_row() -> None:
    log = Logbook()
    log.refuse(ORG, ANN, "RENAME_ORG", ORG, {"name": "Ace"})
    assert fold(folds(managed_users=True), read_entry(log.records[0][0] or b"").entry, None) == ()


def test_every_action_has_a_fold() -> None:
    assert set(folds(managed_users=True)) == set(facts.ENTRY_DATA.values())
    assert set(folds(managed_users=False)) == set(facts.ENTRY_DATA.values())


def test_a_fact_without_a_projection_is_an_error() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgRenamed(name="Ace"))
    with pytest.raises(FoldError, match="no projection handles RENAME_ORG"):
        fold({}, read_entry(log.records[0][0] or b"").entry, facts.OrgRenamed(name="Ace"))


def test_a_quarantined_org_writes_only_the_rows_that_audit_log_references() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgCreated(name="Acme"))
    entry = read_entry(log.records[0][0] or b"").entry
    assert [insert.table for insert in key_rows(entry, facts.OrgCreated(name="Acme"))] == [ORGS]
    assert [insert.table for insert in key_rows(entry, facts.ProjectCreated(name="a", project_id=ONE))] == [PROJECTS]
    assert key_rows(entry, facts.MemberAdded(role="admin", user_id=BOB)) == ()
    assert key_rows(entry, None) == ()


def test_an_audit_row_has_the_columns_of_its_entry_in_table_order() -> None:
    log = Logbook()
    place = log.add(ORG, ANN, facts.ProjectCreated(name="Site", project_id=ONE))[0]
    row = dict(zip(AUDIT_LOG.columns, audit_row(read_entry(log.records[0][0] or b"").entry, "{}"), strict=True))
    assert row == {
        "id": place.id,
        "org_id": ORG,
        "project_id": ONE,
        "actor_user_id": ANN,
        "action": "CREATE_PROJECT",
        "entity_type": "project",
        "entity_id": ONE,
        "result": "success",
        "metadata_json": "{}",
        "created_at": AT,
    }


def test_without_a_list_of_projects_no_project_role_changes() -> None:
    assert len(folded(facts.MemberUpdated(role="viewer", user_id=BOB, project_ids=UNSET))) == 1
