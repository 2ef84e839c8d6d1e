"""CREATE_SECRET_REF, ROTATE_SECRET_REF and DELETE_SECRET_REF."""

from hashlib import sha256

import pytest

from daybook_command.domain.secret_refs import SecretRef
from daybook_contracts.codes import Code
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from support.given import ANN, CAT, command, connection, given, project, secret_ref, thing_id_of
from support.hub_scene import connection_created

WEB, SHOP = project(1), connection(1)
TOKEN = secret_ref(1)
FOUNDED = (
    facts.OrgCreated(name="Acme"),
    facts.MemberAdded(user_id=CAT, role="member"),
    facts.ProjectCreated(project_id=WEB, name="Web"),
)
NAMED = (*FOUNDED, facts.SecretRefCreated(secret_ref_id=TOKEN, key_name="token", secret_id_ref="env:TOKEN"))
USED = (*NAMED, connection_created(SHOP, WEB, {"secrets": {"key": "token"}}))
EMPTY, ACME = given(*FOUNDED), given(*NAMED)
DIGEST = sha256(b"env:TOKEN").digest()


def test_a_new_secret_reference_gets_the_second_id_of_its_entry() -> None:
    create = command("CREATE_SECRET_REF", by=ANN, key_name=" token ", secret_id_ref="env:TOKEN")
    created = facts.SecretRefCreated(secret_ref_id=thing_id_of(create), key_name="token", secret_id_ref="env:TOKEN")
    after = EMPTY.when(create).then(created).after()
    assert dict(after.secret_refs) == {thing_id_of(create): SecretRef("token", DIGEST)}
    assert dict(after.key_names) == {"token": thing_id_of(create)}


def test_two_secret_references_may_point_to_the_same_secret() -> None:
    again = command("CREATE_SECRET_REF", by=ANN, key_name="Token", secret_id_ref="env:TOKEN")
    created = facts.SecretRefCreated(secret_ref_id=thing_id_of(again), key_name="Token", secret_id_ref="env:TOKEN")
    ACME.when(again).then(created)


def test_a_key_name_is_unique_within_an_org() -> None:
    again = command("CREATE_SECRET_REF", by=ANN, key_name="token", secret_id_ref="env:OTHER")
    ACME.when(again).then_rejected(Code.ALREADY_EXISTS)


def test_the_key_name_of_a_deleted_reference_is_free_again() -> None:
    gone = given(*NAMED, facts.SecretRefDeleted(secret_ref_id=TOKEN))
    again = command("CREATE_SECRET_REF", by=ANN, key_name="token", secret_id_ref="env:TOKEN")
    created = facts.SecretRefCreated(secret_ref_id=thing_id_of(again), key_name="token", secret_id_ref="env:TOKEN")
    gone.when(again).then(created)


def test_rights_are_checked_before_the_key_name() -> None:
    again = command("CREATE_SECRET_REF", by=CAT, key_name="token", secret_id_ref="env:OTHER")
    ACME.when(again).then_rejected(Code.FORBIDDEN)


def test_rotating_a_reference_keeps_its_name() -> None:
    rotate = command("ROTATE_SECRET_REF", by=ANN, secret_ref_id=TOKEN, secret_id_ref="env:TOKEN_2")
    after = ACME.when(rotate).then(facts.SecretRefRotated(secret_ref_id=TOKEN, secret_id_ref="env:TOKEN_2")).after()
    assert after.secret_refs[TOKEN] == SecretRef("token", sha256(b"env:TOKEN_2").digest())
    assert after.key_names["token"] == TOKEN


def test_rotating_to_the_same_secret_changes_nothing() -> None:
    rotate = command("ROTATE_SECRET_REF", by=ANN, secret_ref_id=TOKEN, secret_id_ref="env:TOKEN")
    same = ACME.when(rotate)
    fact = facts.SecretRefRotated(secret_ref_id=TOKEN, secret_id_ref="env:TOKEN", changed=False)
    assert same.then(fact).after() == same.before


def test_a_reference_in_use_can_be_rotated() -> None:
    rotate = command("ROTATE_SECRET_REF", by=ANN, secret_ref_id=TOKEN, secret_id_ref="env:TOKEN_2")
    given(*USED).when(rotate).then(facts.SecretRefRotated(secret_ref_id=TOKEN, secret_id_ref="env:TOKEN_2"))


def test_an_unused_reference_can_be_deleted() -> None:
    deleted = ACME.when(command("DELETE_SECRET_REF", by=ANN, secret_ref_id=TOKEN))
    after = deleted.then(facts.SecretRefDeleted(secret_ref_id=TOKEN)).after()
    assert (dict(after.secret_refs), dict(after.key_names)) == ({}, {})


def test_a_reference_used_by_a_connection_cannot_be_deleted() -> None:
    used = given(*USED)
    used.when(command("DELETE_SECRET_REF", by=CAT, secret_ref_id=TOKEN)).then_rejected(Code.FORBIDDEN)
    used.when(command("DELETE_SECRET_REF", by=ANN, secret_ref_id=TOKEN)).then_rejected(Code.SECRET_REF_IN_USE)


@pytest.mark.parametrize(
    "last",
    [facts.ConnectionDeleted(connection_id=SHOP), facts.ConnectionUpdated(connection_id=SHOP, config=free_json({}))],
    ids=["deleted", "updated"],
)
def test_a_reference_can_be_deleted_when_no_connection_uses_it(last: Fact) -> None:
    freed = given(*USED, last).when(command("DELETE_SECRET_REF", by=ANN, secret_ref_id=TOKEN))
    freed.then(facts.SecretRefDeleted(secret_ref_id=TOKEN))
