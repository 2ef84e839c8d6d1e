"""CREATE_ORG and RENAME_ORG."""

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.entries.facts import MemberAdded, OrgCreated, OrgRenamed
from daybook_contracts.senders.principals import User
from support.given import ANN, BOB, EVE, IMPORTER, NOBODY, command, given

ACME = given(OrgCreated(name="Acme"), MemberAdded(user_id=BOB, role="member"))


def test_any_known_user_creates_an_org_and_becomes_its_owner() -> None:
    after = given().when(command("CREATE_ORG", by=EVE, name="Acme")).then(OrgCreated(name="Acme")).after()
    assert after is not None
    assert (after.name, dict(after.members), after.owners, dict(after.projects)) == ("Acme", {EVE: "owner"}, 1, {})


def test_a_service_creates_an_org_for_a_user() -> None:
    after = given().when(command("CREATE_ORG", by=EVE, name="Acme"), IMPORTER).then(OrgCreated(name="Acme")).after()
    assert after is not None
    assert dict(after.members) == {EVE: "owner"}


def test_an_org_can_be_created_where_users_are_external() -> None:
    given().with_external_users().when(command("CREATE_ORG", by=EVE, name="Acme")).then(OrgCreated(name="Acme"))


def test_an_unknown_user_creates_no_org() -> None:
    given().when(command("CREATE_ORG", by=NOBODY, name="Acme")).then_rejected(Code.USER_NOT_FOUND)


def test_a_service_creates_no_org_for_an_unknown_user() -> None:
    given().when(command("CREATE_ORG", by=NOBODY, name="Acme"), IMPORTER).then_rejected(Code.USER_NOT_FOUND)


def test_a_service_creates_no_org_for_nobody() -> None:
    given().when(command("CREATE_ORG", name="Acme")).then_rejected(Code.FORBIDDEN)


def test_a_user_that_names_no_actor_creates_no_org() -> None:
    given().when(command("CREATE_ORG", name="Acme"), User(EVE)).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("by", [ANN, BOB, EVE], ids=["owner", "member", "stranger"])
def test_an_org_id_is_used_once_whoever_tries_again(by: str) -> None:
    ACME.when(command("CREATE_ORG", by=by, name="Other")).then_rejected(Code.ALREADY_EXISTS)


def test_an_unknown_user_is_told_so_before_it_learns_that_the_org_exists() -> None:
    ACME.when(command("CREATE_ORG", by=NOBODY, name="Other")).then_rejected(Code.USER_NOT_FOUND)


def test_the_right_to_create_is_judged_before_the_org_is_found_to_exist() -> None:
    ACME.when(command("CREATE_ORG", name="Other")).then_rejected(Code.FORBIDDEN)


def test_renaming_an_org_gives_it_the_new_name_and_leaves_the_rest() -> None:
    outcome = ACME.when(command("RENAME_ORG", by=ANN, name="New")).then(OrgRenamed(name="New"))
    assert outcome.before is not None
    after = outcome.after()
    assert after is not None
    assert (after.name, after.members) == ("New", outcome.before.members)


def test_renaming_an_org_to_the_name_it_has_changes_nothing() -> None:
    again = ACME.when(command("RENAME_ORG", by=ANN, name=" Acme "))
    assert again.then(OrgRenamed(name="Acme", changed=False)).after() == again.before
