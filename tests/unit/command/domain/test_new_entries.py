"""The entries of a decision. Columns name only things that exist; the data of a failure keeps the command's
other ids.
"""

import json
from typing import Any

import pytest

from daybook_command.domain.decision import NewEntry
from daybook_command.domain.failures import failure_data
from daybook_contracts.codes import Code
from daybook_contracts.entries.facts import MemberAdded, OrgCreated, OrgRenamed, ProjectCreated
from daybook_contracts.entries.identity import Identity
from daybook_contracts.json.canonical import canonical_bytes
from support.given import ANN, BOB, EVE, IMPORTER, NOBODY, ORG, Given, Outcome, command, given, project, thing_id_of

WEB, MISSING = project(1), project(9)
ACME = given(
    OrgCreated(name="Acme"), MemberAdded(user_id=BOB, role="member"), ProjectCreated(project_id=WEB, name="Web")
)
EMPTY = given()


def only(outcome: Outcome) -> NewEntry:
    (entry,) = outcome.entries()
    return entry


def data_of(outcome: Outcome) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(only(outcome).data)
    assert canonical_bytes(data) == only(outcome).data
    return data


def columns(outcome: Outcome) -> tuple[str | None, ...]:
    """entity_type, entity_id, org_id, project_id, actor_user_id"""
    entry = only(outcome)
    return entry.entity_type, entry.entity_id, entry.org_id, entry.project_id, entry.actor_user_id


def rejected(case: Given, code: Code, type_: str, by: str | None, **data: str) -> Outcome:
    return case.when(command(type_, by=by, **data)).then_rejected(code)


def test_a_success_carries_its_fact_as_canonical_bytes() -> None:
    renamed = ACME.when(command("RENAME_ORG", by=ANN, name="Neu\u00e9"))
    entry = only(renamed)
    assert (entry.action, entry.error, entry.fact) == ("RENAME_ORG", None, OrgRenamed(name="Neu\u00e9"))
    assert entry.data == canonical_bytes({"name": "Neu\u00e9"})
    assert columns(renamed) == ("org", ORG, ORG, None, ANN)


def test_a_success_that_changed_nothing_has_changed_false() -> None:
    same = ACME.when(command("RENAME_ORG", by=ANN, name="Acme"))
    assert only(same).data == b'{"changed":false,"name":"Acme"}'


def test_a_failure_has_an_error_and_no_fact() -> None:
    entry = only(rejected(ACME, Code.FORBIDDEN, "RENAME_ORG", BOB, name="Mine"))
    assert entry.error is not None
    assert (entry.error.code, entry.fact) == ("FORBIDDEN", None)
    assert entry.error.detail


def test_a_strangers_failure_on_a_real_org_is_written_to_that_org_with_ids_only() -> None:
    refused = rejected(ACME, Code.ORG_NOT_FOUND, "RENAME_ORG", EVE, name="Mine")
    assert columns(refused) == ("org", ORG, ORG, None, EVE)
    assert data_of(refused) == {}


def test_a_failure_on_an_unknown_org_keeps_only_the_claimed_org_in_its_data() -> None:
    refused = rejected(EMPTY, Code.ORG_NOT_FOUND, "RENAME_ORG", EVE, name="Mine")
    assert columns(refused) == ("org", ORG, None, None, EVE)
    assert data_of(refused) == {"org_id": ORG}


def test_an_unknown_actor_is_kept_in_the_data() -> None:
    refused = rejected(EMPTY, Code.USER_NOT_FOUND, "CREATE_ORG", NOBODY, name="Acme")
    assert columns(refused) == ("org", ORG, None, None, None)
    assert data_of(refused) == {"org_id": ORG, "actor_user_id": NOBODY}


def test_a_failed_create_of_an_existing_org_is_written_to_that_org() -> None:
    refused = rejected(ACME, Code.ALREADY_EXISTS, "CREATE_ORG", EVE, name="Acme")
    assert columns(refused) == ("org", ORG, ORG, None, EVE)


def test_a_user_that_fails_to_register_itself_is_named_as_actor_only_in_the_data() -> None:
    refused = rejected(EMPTY.with_external_users(), Code.FORBIDDEN, "REGISTER_USER", NOBODY, user_id=NOBODY)
    assert columns(refused) == ("user", NOBODY, None, None, None)
    assert data_of(refused) == {"user_id": NOBODY, "actor_user_id": NOBODY}


def test_a_user_that_fails_to_register_another_is_the_actor_of_the_failure() -> None:
    refused = rejected(EMPTY, Code.FORBIDDEN, "REGISTER_USER", EVE, user_id=NOBODY)
    assert columns(refused) == ("user", NOBODY, None, None, EVE)
    assert data_of(refused) == {}


def test_a_services_failure_names_no_actor() -> None:
    refused = rejected(ACME, Code.FORBIDDEN, "RENAME_ORG", None, name="Mine")
    assert columns(refused) == ("org", ORG, ORG, None, None)
    assert data_of(refused) == {"name": "Mine"}


def test_a_failed_create_names_the_id_it_would_have_had() -> None:
    create = command("CREATE_PROJECT", by=BOB, name="App")
    refused = ACME.when(create).then_rejected(Code.FORBIDDEN)
    assert columns(refused) == ("project", thing_id_of(create), ORG, None, BOB)
    assert data_of(refused) == {"name": "App"}


def test_a_failed_create_with_a_chosen_id_names_that_id() -> None:
    refused = rejected(ACME, Code.FORBIDDEN, "CREATE_PROJECT", ANN, name="App", project_id=MISSING)
    assert columns(refused) == ("project", MISSING, ORG, None, ANN)
    assert data_of(refused) == {"name": "App", "project_id": MISSING}


def test_a_failed_create_of_an_existing_project_has_its_id_in_the_project_column() -> None:
    again = command("CREATE_PROJECT", by=ANN, name="App", project_id=WEB)
    assert columns(ACME.when(again, IMPORTER).then_rejected(Code.ALREADY_EXISTS)) == ("project", WEB, ORG, WEB, ANN)


def test_a_strangers_failure_names_no_project_even_if_the_project_exists() -> None:
    refused = rejected(ACME, Code.ORG_NOT_FOUND, "RENAME_PROJECT", EVE, project_id=WEB, name="Mine")
    assert columns(refused) == ("project", WEB, ORG, None, EVE)


def test_a_strangers_failed_create_names_its_own_entry_or_the_chosen_id() -> None:
    create = command("CREATE_PROJECT", by=EVE, name="App")
    own_id = Identity("outsider", ORG, EVE, create.id).first_id()
    assert columns(ACME.when(create).then_rejected(Code.ORG_NOT_FOUND)) == ("project", own_id, ORG, None, EVE)
    chosen = command("CREATE_PROJECT", by=EVE, name="App", project_id=MISSING)
    assert columns(ACME.when(chosen).then_rejected(Code.ORG_NOT_FOUND)) == ("project", MISSING, ORG, None, EVE)


def test_a_failure_on_an_unknown_project_keeps_the_project_in_its_data() -> None:
    refused = rejected(ACME, Code.PROJECT_NOT_FOUND, "REMOVE_PROJECT_MEMBER", ANN, project_id=MISSING, user_id=BOB)
    assert columns(refused) == ("project_member", BOB, ORG, None, ANN)
    assert data_of(refused) == {"project_id": MISSING, "user_id": BOB}


def test_a_failed_add_member_names_even_an_unknown_user() -> None:
    refused = rejected(ACME, Code.USER_NOT_FOUND, "ADD_MEMBER", ANN, user_id=NOBODY, role="viewer")
    assert columns(refused) == ("org_member", NOBODY, ORG, None, ANN)


@pytest.mark.parametrize(
    ("type_", "kept", "dropped"),
    [
        ("CREATE_CONNECTION", {"project_id": WEB, "type": "sheets", "name": "S"}, {"config": {"a": 1}}),
        ("DEACTIVATE_CONNECTION", {"connection_id": MISSING}, {"reason": "why"}),
        ("COMPLETE_SYNC", {"sync_run_id": MISSING}, {"stats": {"rows": 1}}),
        ("FAIL_SYNC", {"sync_run_id": MISSING}, {"error_message": "no"}),
        ("RECORD_DLQ_EVENT", {"connection_id": MISSING}, {"payload": {"a": 1}, "error": "no"}),
        ("RAISE_ALERT", {"project_id": WEB, "severity": "info"}, {"message": "oh"}),
        ("ROTATE_SECRET_REF", {"secret_ref_id": MISSING}, {"secret_id_ref": "env:TOKEN"}),
    ],
)
def test_a_failure_leaves_out_large_values_and_free_text(
    type_: str, kept: dict[str, Any], dropped: dict[str, Any]
) -> None:
    tried = command(type_, by=ANN, **kept, **dropped)
    assert failure_data(tried, {"org_id": ORG}) == canonical_bytes(kept | {"org_id": ORG})
