"""Commands that choose the id of the thing they create: only a service may, and the id must be unused in every org."""

import pytest
from msgspec import structs

from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import AlertRaised, SecretRefCreated
from support.creations import CREATIONS, creation
from support.given import ANN, CAT, IMPORTER, alert, command, dead_letter, given, secret_ref, sync_run
from support.hub_scene import ADS, HUB, SHOP, WEB, letter_recorded, sync_started
from support.world import CREATED

ACME = given(
    *HUB,
    sync_started(1, of=ADS),
    letter_recorded(1, of=ADS),
    AlertRaised(alert_id=alert(1), message="m", project_id=WEB, severity="info"),
    SecretRefCreated(secret_ref_id=secret_ref(1), key_name="token", secret_id_ref="env:TOKEN"),
)
FREE = "1c000000-0000-4000-8000-000000000001"
USED = {
    "CREATE_PROJECT": WEB,
    "CREATE_CONNECTION": SHOP,
    "START_SYNC": sync_run(1),
    "RECORD_DLQ_EVENT": dead_letter(1),
    "RAISE_ALERT": alert(1),
    "CREATE_SECRET_REF": secret_ref(1),
}
pytestmark = pytest.mark.parametrize("type_", CREATIONS)


def create(type_: str, chosen: str | None, by: str = ANN) -> Command:
    return command(type_, by, **creation(type_, chosen))


def test_a_chosen_id_replaces_the_computed_one(type_: str) -> None:
    own, *by_policies = (entry.fact for entry in ACME.when(create(type_, None)).entries())
    assert own is not None
    chosen = structs.replace(own, **{CREATED[type_][1]: FREE})
    ACME.when(create(type_, FREE), IMPORTER).then(chosen, *filter(None, by_policies))


def test_a_user_may_not_choose_an_id_nor_find_out_which_ids_are_used(type_: str) -> None:
    refused = ACME.when(create(type_, FREE)).then_rejected(Code.FORBIDDEN)
    assert [entry.entity_id for entry in refused.entries()] == [FREE]
    assert ACME.with_taken(FREE).when(create(type_, FREE)).decision == refused.decision
    assert ACME.when(create(type_, USED[type_])).decision == refused.decision


def test_a_chosen_id_must_be_unused_in_every_org(type_: str) -> None:
    ACME.when(create(type_, USED[type_]), IMPORTER).then_rejected(Code.ALREADY_EXISTS)
    ACME.with_taken(FREE).when(create(type_, FREE), IMPORTER).then_rejected(Code.ALREADY_EXISTS)


def test_rights_are_checked_before_the_chosen_id(type_: str) -> None:
    ACME.with_taken(FREE).when(create(type_, FREE, by=CAT), IMPORTER).then_rejected(Code.FORBIDDEN)
