"""CREATE_CONNECTION and the validation of its config."""

from hashlib import sha256
from typing import Any

import pytest

from daybook_command.domain.activity import Activity
from daybook_command.domain.connections import Connection
from daybook_command.domain.decision import Rejection
from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import ConnectionCreated, ConnectionDeleted, SecretRefDeleted
from support.connection_configs import HOTMART, META_ADS
from support.given import ANN, CAT, IMPORTER, command, connection, given, secret_ref, thing_id_of
from support.hub_scene import CONFIGURED, PLAIN, SHOP, WEB, WITH_SECRETS, connection_created

FREE = connection(7)
EMPTY, ACME = given(*WITH_SECRETS), given(*CONFIGURED)


def create(by: str | None = ANN, **changes: Any) -> Command:
    data: dict[str, Any] = {"project_id": WEB, "type": "sheets", "name": "Prices", "config": PLAIN}
    return command("CREATE_CONNECTION", by=by, **{**data, **changes})


def created(connection_id: str, config: object = PLAIN, type_: str = "sheets") -> ConnectionCreated:
    return connection_created(connection_id, WEB, config, type_=type_, name="Prices")


def test_a_new_connection_gets_the_second_id_of_its_entry_and_is_active_and_idle() -> None:
    tried = create()
    after = EMPTY.when(tried).then(created(thing_id_of(tried))).after()
    idle = Activity(config=sha256(b'{"rows":12,"sheet":"prices"}').digest())
    expected = Connection(WEB, "sheets", "Prices", active=True, key_names=frozenset(), activity=idle)
    assert after.connections[thing_id_of(tried)] == expected


def test_the_entry_holds_the_config_as_normalised_by_its_type() -> None:
    tried = create(type="meta_ads", config={**META_ADS, "ad_account_ids": ["act_1", "2"]})
    after = EMPTY.when(tried).then(created(thing_id_of(tried), {**META_ADS, "ad_account_ids": ["1", "2"]}, "meta_ads"))
    org = after.after()
    assert org.connections[thing_id_of(tried)].key_names == {"ads_token"}


def test_two_connections_may_have_the_same_name() -> None:
    tried = create()
    ACME.when(tried).then(created(thing_id_of(tried)))


def test_rights_are_checked_before_the_config() -> None:
    EMPTY.when(create(by=CAT, type="hotmart")).then_rejected(Code.FORBIDDEN)


def test_a_user_may_not_choose_the_id_and_this_is_checked_before_the_config() -> None:
    EMPTY.when(create(connection_id=FREE, type="hotmart")).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("type_", ["hotmart", "meta_ads"])
def test_a_config_that_does_not_fit_its_type_is_rejected_without_repeating_its_values(type_: str) -> None:
    refused = EMPTY.when(create(type=type_)).then_rejected(Code.INVALID_CONFIG)
    assert isinstance(refused.decision, Rejection)
    detail = refused.decision.detail or ""
    assert "config" in detail
    assert "prices" not in detail


def test_a_config_is_validated_before_its_secret_references_are_looked_up() -> None:
    wrong = {**HOTMART, "events": [], "secrets": {"hottok": "nowhere"}}
    EMPTY.when(create(type="hotmart", config=wrong)).then_rejected(Code.INVALID_CONFIG)


@pytest.mark.parametrize(
    ("type_", "config"),
    [
        ("hotmart", {**HOTMART, "secrets": {"hottok": "nowhere"}}),
        ("sheets", {"secrets": {"one": "ads_token", "two": "nowhere"}}),
    ],
)
def test_a_config_may_name_only_secret_references_of_the_org(type_: str, config: object) -> None:
    EMPTY.when(create(type=type_, config=config)).then_rejected(Code.SECRET_REF_NOT_FOUND)


def test_a_deleted_secret_reference_can_no_longer_be_named() -> None:
    without = given(*WITH_SECRETS, SecretRefDeleted(secret_ref_id=secret_ref(1)))
    without.when(create(type="hotmart", config=HOTMART)).then_rejected(Code.SECRET_REF_NOT_FOUND)


def test_missing_secret_references_are_reported_before_a_taken_id() -> None:
    named = create(connection_id=SHOP, config={"secrets": {"one": "nowhere"}})
    ACME.when(named, IMPORTER).then_rejected(Code.SECRET_REF_NOT_FOUND)


def test_the_id_of_a_deleted_connection_can_be_chosen_again() -> None:
    gone = given(*CONFIGURED, ConnectionDeleted(connection_id=SHOP))
    gone.when(create(connection_id=SHOP), IMPORTER).then(created(SHOP))
