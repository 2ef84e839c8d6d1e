"""UPDATE_CONNECTION, ACTIVATE_CONNECTION, DEACTIVATE_CONNECTION and DELETE_CONNECTION."""

from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import free_json
from support.connection_configs import HOTMART
from support.given import ANN, CAT, command, given, sync_run
from support.hub_scene import CONFIGURED, PLAIN, SHEETS, SHOP

RUN = sync_run(1)
ACME = given(*CONFIGURED)
RUNNING = given(*CONFIGURED, facts.SyncStarted(connection_id=SHOP, sync_run_id=RUN))
INACTIVE = given(*CONFIGURED, facts.ConnectionDeactivated(connection_id=SHOP))


def update(connection_id: str = SHEETS, by: str | None = ANN, **changes: Any) -> Command:
    return command("UPDATE_CONNECTION", by=by, connection_id=connection_id, **changes)


def test_renaming_leaves_the_config_unchanged() -> None:
    renamed = ACME.when(update(SHOP, name=" New "))
    after = renamed.then(facts.ConnectionUpdated(connection_id=SHOP, name="New")).after()
    assert renamed.before is not None
    assert after.connections[SHOP] == replace(renamed.before.connections[SHOP], name="New")


def test_a_new_config_replaces_the_whole_old_one() -> None:
    changed = ACME.when(update(SHEETS, config={"secrets": {"one": "ads_token"}}))
    config = free_json({"secrets": {"one": "ads_token"}})
    after = changed.then(facts.ConnectionUpdated(connection_id=SHEETS, config=config)).after()
    made = after.connections[SHEETS]
    assert made.activity is not None
    assert (made.key_names, made.activity.config) == (frozenset({"ads_token"}), sha256(bytes(config)).digest())


def test_an_equivalent_config_changes_nothing() -> None:
    same = ACME.when(update(SHEETS, config={"rows": 12, "sheet": "prices", "secrets": None}))
    fact = facts.ConnectionUpdated(connection_id=SHEETS, config=free_json(PLAIN), changed=False)
    assert same.then(fact).after() == same.before


def test_the_same_name_and_config_change_nothing() -> None:
    same = ACME.when(update(SHOP, name="Shop", config=HOTMART))
    fact = facts.ConnectionUpdated(connection_id=SHOP, name="Shop", config=free_json(HOTMART), changed=False)
    assert same.then(fact).after() == same.before


def test_an_update_that_changes_only_the_name_or_the_config_writes_both() -> None:
    renamed = facts.ConnectionUpdated(connection_id=SHOP, name="New", config=free_json(HOTMART))
    ACME.when(update(SHOP, name="New", config=HOTMART)).then(renamed)
    emptied = facts.ConnectionUpdated(connection_id=SHEETS, name="Prices", config=free_json({}))
    ACME.when(update(SHEETS, name="Prices", config={})).then(emptied)


def test_an_updated_config_is_validated_against_the_connections_type() -> None:
    ACME.when(update(SHOP, config=PLAIN)).then_rejected(Code.INVALID_CONFIG)
    ACME.when(update(SHOP, by=CAT, config=PLAIN)).then_rejected(Code.FORBIDDEN)
    unknown = {**HOTMART, "secrets": {"hottok": "nowhere"}}
    ACME.when(update(SHOP, config=unknown)).then_rejected(Code.SECRET_REF_NOT_FOUND)


def test_a_config_can_be_changed_back() -> None:
    changed = given(*CONFIGURED, facts.ConnectionUpdated(connection_id=SHEETS, config=free_json({})))
    as_before = facts.ConnectionUpdated(connection_id=SHEETS, config=free_json(PLAIN))
    changed.when(update(SHEETS, config=PLAIN)).then(as_before)


def test_a_connection_is_deactivated_and_activated_again() -> None:
    off = ACME.when(command("DEACTIVATE_CONNECTION", by=ANN, connection_id=SHOP, reason="moving"))
    after = off.then(facts.ConnectionDeactivated(connection_id=SHOP, reason="moving")).after()
    assert not after.connections[SHOP].active
    on = INACTIVE.when(command("ACTIVATE_CONNECTION", by=ANN, connection_id=SHOP))
    assert on.then(facts.ConnectionActivated(connection_id=SHOP)).after() == ACME.org


def test_a_repeated_activation_or_deactivation_changes_nothing_but_records_its_reason() -> None:
    active = ACME.when(command("ACTIVATE_CONNECTION", by=ANN, connection_id=SHOP, reason="sure?"))
    active.then(facts.ConnectionActivated(connection_id=SHOP, reason="sure?", changed=False))
    same = INACTIVE.when(command("DEACTIVATE_CONNECTION", by=ANN, connection_id=SHOP))
    assert same.then(facts.ConnectionDeactivated(connection_id=SHOP, changed=False)).after() == same.before


def test_a_connection_can_be_deactivated_while_its_sync_is_running() -> None:
    off = RUNNING.when(command("DEACTIVATE_CONNECTION", by=ANN, connection_id=SHOP))
    after = off.then(facts.ConnectionDeactivated(connection_id=SHOP)).after()
    assert after.runs[RUN].status == "running"


def test_a_connection_cannot_be_deleted_while_its_sync_is_running() -> None:
    RUNNING.when(command("DELETE_CONNECTION", by=CAT, connection_id=SHOP)).then_rejected(Code.FORBIDDEN)
    RUNNING.when(command("DELETE_CONNECTION", by=ANN, connection_id=SHOP)).then_rejected(Code.SYNC_ALREADY_RUNNING)
    idle = RUNNING.when(command("DELETE_CONNECTION", by=ANN, connection_id=SHEETS))
    idle.then(facts.ConnectionDeleted(connection_id=SHEETS))
