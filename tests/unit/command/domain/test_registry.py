"""The registry is complete and names what must be looked up before a command is decided."""

from typing import Any

import pytest

from daybook_command.domain.references import ChosenId
from daybook_command.domain.registry import NOUNS, named_by, users_named
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.entries.facts import ENTRY_DATA
from support.given import ANN, BOB, command, project

CHOSEN, OTHER = project(1), project(2)
ONLY_A_SERVICE = "Chosen by services only"
"""The words with which every schema describes an id that may be chosen."""
CREATES: dict[str, tuple[str, dict[str, Any], str]] = {
    "CREATE_PROJECT": ("project_id", {"name": "Web"}, "projects"),
    "CREATE_CONNECTION": (
        "connection_id",
        {"project_id": OTHER, "type": "sheets", "name": "S", "config": {}},
        "source_connections",
    ),
    "START_SYNC": ("sync_run_id", {"connection_id": OTHER}, "sync_runs"),
    "RECORD_DLQ_EVENT": ("dlq_event_id", {"connection_id": OTHER, "payload": "x"}, "dlq_events"),
    "RAISE_ALERT": ("alert_id", {"project_id": OTHER, "severity": "info", "message": "x"}, "integration_alerts"),
    "CREATE_SECRET_REF": ("secret_ref_id", {"key_name": "k", "secret_id_ref": "env:TOKEN"}, "secret_refs"),
}


def test_every_command_has_exactly_one_handler() -> None:
    handled = [handler.command for noun in NOUNS for handler in noun.HANDLERS]
    assert sorted(map(str, handled)) == sorted(map(str, COMMANDS.values()))


def test_every_success_entry_has_exactly_one_fold() -> None:
    folded = [fold.fact for noun in NOUNS for fold in noun.FOLDS]
    assert sorted(map(str, folded)) == sorted(map(str, ENTRY_DATA.values()))


def test_the_actor_and_the_user_it_acts_on_are_looked_up() -> None:
    assert users_named(command("REMOVE_MEMBER", by=ANN, user_id=BOB)) == (ANN, BOB)


def test_a_user_that_acts_on_itself_is_looked_up_once() -> None:
    assert users_named(command("REMOVE_MEMBER", by=ANN, user_id=ANN)) == (ANN,)


def test_without_an_actor_only_the_named_user_is_looked_up() -> None:
    assert users_named(command("REGISTER_USER", user_id=BOB)) == (BOB,)
    assert users_named(command("RENAME_ORG", name="New")) == ()


@pytest.mark.parametrize("type_", CREATES)
def test_a_chosen_id_is_looked_up_in_its_table(type_: str) -> None:
    field, data, table = CREATES[type_]
    assert named_by(command(type_, by=ANN, **{**data, field: CHOSEN})).chosen == ChosenId(table, CHOSEN)


@pytest.mark.parametrize("type_", CREATES)
def test_a_create_without_a_chosen_id_has_none_to_look_up(type_: str) -> None:
    _, data, _ = CREATES[type_]
    assert named_by(command(type_, by=ANN, **data)).chosen is None


def test_every_create_that_can_choose_an_id_is_listed_here() -> None:
    choosing = {type_ for type_, model in COMMANDS.items() if ONLY_A_SERVICE in str(model.model_json_schema())}
    assert choosing == set(CREATES)


def test_the_project_named_by_a_rename_is_not_a_chosen_id() -> None:
    assert named_by(command("RENAME_PROJECT", by=ANN, project_id=CHOSEN, name="Web")).chosen is None
