"""The registry is complete and names what must be looked up before a command is decided."""

import pytest

from daybook_command.domain.references import ChosenId
from daybook_command.domain.registry import NOUNS, named_by, users_named
from daybook_contracts.commands.registry import COMMANDS, Command
from daybook_contracts.entries.facts import ENTRY_DATA
from support.creations import CREATIONS, creation
from support.given import ANN, BOB, command, project

CHOSEN = project(1)
ONLY_A_SERVICE = "Chosen by services only"
"""The words with which every schema describes an id that may be chosen."""
TABLES = {
    "CREATE_PROJECT": "projects",
    "CREATE_CONNECTION": "source_connections",
    "START_SYNC": "sync_runs",
    "RECORD_DLQ_EVENT": "dlq_events",
    "RAISE_ALERT": "integration_alerts",
    "CREATE_SECRET_REF": "secret_refs",
}


def test_every_command_has_exactly_one_handler() -> None:
    handled = [handler.command for noun in NOUNS for handler in noun.HANDLERS]
    assert sorted(map(str, handled)) == sorted(map(str, COMMANDS.values()))


def test_every_success_entry_has_exactly_one_fold() -> None:
    folded = [fold.fact for noun in NOUNS for fold in noun.FOLDS]
    assert sorted(map(str, folded)) == sorted(map(str, ENTRY_DATA.values()))


def _users_named(sent: Command) -> tuple[str, ...]:
    return users_named(sent, named_by(sent))


def test_the_actor_and_the_user_it_acts_on_are_looked_up() -> None:
    assert _users_named(command("REMOVE_MEMBER", by=ANN, user_id=BOB)) == (ANN, BOB)


def test_a_user_that_acts_on_itself_is_looked_up_once() -> None:
    assert _users_named(command("REMOVE_MEMBER", by=ANN, user_id=ANN)) == (ANN,)


def test_without_an_actor_only_the_named_user_is_looked_up() -> None:
    assert _users_named(command("REGISTER_USER", user_id=BOB)) == (BOB,)
    assert _users_named(command("RENAME_ORG", name="New")) == ()


@pytest.mark.parametrize("type_", CREATIONS)
def test_only_a_chosen_id_is_looked_up_in_the_table_of_its_kind(type_: str) -> None:
    assert named_by(command(type_, by=ANN, **creation(type_, CHOSEN))).chosen == ChosenId(TABLES[type_], CHOSEN)
    assert named_by(command(type_, by=ANN, **CREATIONS[type_])).chosen is None


def test_the_creations_are_all_commands_that_can_choose_an_id() -> None:
    choosing = {type_ for type_, model in COMMANDS.items() if ONLY_A_SERVICE in str(model.model_json_schema())}
    assert choosing == set(CREATIONS)


def test_the_project_named_by_a_rename_is_not_a_chosen_id() -> None:
    assert named_by(command("RENAME_PROJECT", by=ANN, project_id=CHOSEN, name="Web")).chosen is None
