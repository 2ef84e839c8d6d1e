"""REGISTER_USER: sent by the user itself or by a service, if Daybook manages users. A repeat changes nothing."""

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.entries.facts import UserRegistered
from daybook_contracts.senders.principals import Principal, User
from support.given import BOB, EVE, IMPORTER, NOBODY, command, given


@pytest.mark.parametrize(
    ("by", "sender"),
    [(NOBODY, User(NOBODY)), (None, IMPORTER), (NOBODY, IMPORTER)],
    ids=["itself", "a service", "a service that acts for it"],
)
def test_a_user_is_registered_by_itself_or_by_a_service(by: str | None, sender: Principal) -> None:
    given().when(command("REGISTER_USER", by=by, user_id=NOBODY), sender).then(UserRegistered(user_id=NOBODY))


@pytest.mark.parametrize(
    ("by", "user_id", "sender"),
    [(EVE, NOBODY, User(EVE)), (EVE, NOBODY, IMPORTER), (None, EVE, User(EVE)), (EVE, BOB, User(EVE))],
    ids=["another user", "a service that acts for another", "a user who names no actor", "another, for a known user"],
)
def test_nobody_else_can_register_a_user(by: str | None, user_id: str, sender: Principal) -> None:
    before = given(UserRegistered(user_id=BOB))
    before.when(command("REGISTER_USER", by=by, user_id=user_id), sender).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize(("by", "user_id"), [(None, NOBODY), (EVE, EVE)], ids=["unknown", "known"])
def test_no_user_is_registered_where_users_are_external(by: str | None, user_id: str) -> None:
    itself = command("REGISTER_USER", by=by, user_id=user_id)
    given().with_external_users().when(itself).then_rejected(Code.FORBIDDEN)


def test_registering_a_known_user_changes_nothing() -> None:
    again = command("REGISTER_USER", user_id=BOB)
    given(UserRegistered(user_id=BOB)).when(again).then(UserRegistered(user_id=BOB, changed=False))
