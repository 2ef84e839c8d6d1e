"""REGISTER_USER: the user itself or a service, in managed mode; once is enough."""

from daybook_contracts.codes import Code
from daybook_contracts.entries.facts import UserRegistered
from daybook_contracts.senders.principals import User
from support.given import BOB, EVE, IMPORTER, NOBODY, command, given


def test_a_user_registers_itself() -> None:
    given().when(command("REGISTER_USER", by=NOBODY, user_id=NOBODY)).then(UserRegistered(user_id=NOBODY))


def test_a_service_registers_a_user() -> None:
    given().when(command("REGISTER_USER", user_id=NOBODY)).then(UserRegistered(user_id=NOBODY))


def test_a_service_that_acts_for_a_user_registers_that_user() -> None:
    on_behalf = command("REGISTER_USER", by=NOBODY, user_id=NOBODY)
    given().when(on_behalf, IMPORTER).then(UserRegistered(user_id=NOBODY))


def test_a_user_registers_nobody_else() -> None:
    given().when(command("REGISTER_USER", by=EVE, user_id=NOBODY)).then_rejected(Code.FORBIDDEN)


def test_a_service_that_acts_for_a_user_registers_nobody_else() -> None:
    given().when(command("REGISTER_USER", by=EVE, user_id=NOBODY), IMPORTER).then_rejected(Code.FORBIDDEN)


def test_a_user_that_names_no_actor_registers_nobody() -> None:
    given().when(command("REGISTER_USER", user_id=EVE), User(EVE)).then_rejected(Code.FORBIDDEN)


def test_registering_a_known_user_changes_nothing() -> None:
    again = command("REGISTER_USER", user_id=BOB)
    given(UserRegistered(user_id=BOB)).when(again).then(UserRegistered(user_id=BOB, changed=False))


def test_registering_a_known_user_needs_the_same_rights() -> None:
    given(UserRegistered(user_id=BOB)).when(command("REGISTER_USER", by=EVE, user_id=BOB)).then_rejected(Code.FORBIDDEN)


def test_nobody_is_registered_where_users_are_external() -> None:
    given().with_external_users().when(command("REGISTER_USER", user_id=NOBODY)).then_rejected(Code.FORBIDDEN)


def test_even_a_known_user_is_not_registered_where_users_are_external() -> None:
    itself = command("REGISTER_USER", by=EVE, user_id=EVE)
    given().with_external_users().when(itself).then_rejected(Code.FORBIDDEN)
