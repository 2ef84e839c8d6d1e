"""CREATE_ORG and RENAME_ORG."""

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.entries.facts import MemberAdded, OrgCreated, OrgRenamed
from daybook_contracts.senders.principals import Principal, User
from support.given import ANN, BOB, EVE, IMPORTER, NOBODY, Given, command, given

ACME = given(OrgCreated(name="Acme"), MemberAdded(user_id=BOB, role="member"))


def test_any_known_user_can_create_an_org_and_becomes_its_owner() -> None:
    after = given().when(command("CREATE_ORG", by=EVE, name="Acme")).then(OrgCreated(name="Acme")).after()
    assert (after.name, dict(after.members), after.owners, dict(after.projects)) == ("Acme", {EVE: "owner"}, 1, {})


def test_a_service_can_create_an_org_for_a_user() -> None:
    after = given().when(command("CREATE_ORG", by=EVE, name="Acme"), IMPORTER).then(OrgCreated(name="Acme")).after()
    assert dict(after.members) == {EVE: "owner"}


def test_an_org_can_be_created_where_users_are_external() -> None:
    given().with_external_users().when(command("CREATE_ORG", by=EVE, name="Acme")).then(OrgCreated(name="Acme"))


@pytest.mark.parametrize(
    ("by", "sender", "code"),
    [
        (NOBODY, User(NOBODY), Code.USER_NOT_FOUND),
        (NOBODY, IMPORTER, Code.USER_NOT_FOUND),
        (None, IMPORTER, Code.FORBIDDEN),
        (None, User(EVE), Code.FORBIDDEN),
    ],
    ids=["unknown user", "service for an unknown user", "service without an actor", "user without an actor"],
)
@pytest.mark.parametrize("before", [given(), ACME], ids=["new", "existing"])
def test_nobody_else_can_create_an_org_or_find_out_that_it_exists(
    before: Given, by: str | None, sender: Principal, code: Code
) -> None:
    before.when(command("CREATE_ORG", by=by, name="Other"), sender).then_rejected(code)


@pytest.mark.parametrize("by", [ANN, BOB, EVE], ids=["owner", "member", "stranger"])
def test_an_org_id_cannot_be_used_again_by_anyone(by: str) -> None:
    ACME.when(command("CREATE_ORG", by=by, name="Other")).then_rejected(Code.ALREADY_EXISTS)


def test_renaming_an_org_changes_its_name_and_keeps_its_members() -> None:
    outcome = ACME.when(command("RENAME_ORG", by=ANN, name="New")).then(OrgRenamed(name="New"))
    assert outcome.before is not None
    after = outcome.after()
    assert (after.name, after.members) == ("New", outcome.before.members)


def test_renaming_an_org_to_its_current_name_changes_nothing() -> None:
    again = ACME.when(command("RENAME_ORG", by=ANN, name=" Acme "))
    assert again.then(OrgRenamed(name="Acme", changed=False)).after() == again.before
