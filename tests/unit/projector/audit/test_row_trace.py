"""The history of a row. For every row of random logs, it names the same entries as the tests' own fold. The other tests
are about deletion, quarantine and the names of rows.
"""

from typing import Any

import pytest
from hypothesis import given, settings

from daybook_contracts.entries import facts
from daybook_projector.audit.explain.row_name import MalformedRowName, RowName, read_row_name
from daybook_projector.audit.explain.trace import RowHistory, RowTrace, shown
from support.audit_folds import FOLDS, entries_of, json_of
from support.histories import logs
from support.hub_scene import connection_created
from support.logbook import Logbook, project, thing
from support.poison import ANN, BOB, ORG, an_unknown_action, busy, connect, founded, letter
from support.row_origins import Origins, row_origins
from support.tables import COLUMNS


def traced(log: Logbook, name: RowName, frozen: dict[str, int] | None = None) -> RowHistory:
    trace = RowTrace(name, 0, FOLDS, frozen or {})
    trace.take(entries_of(log))
    return trace.history


def origins_of(name: RowName, history: RowHistory) -> Origins:
    """The row's history in the form in which the tests compute it."""
    row: Any = history.row or history.last_row
    columns = {
        column: (shown(name.projection, column, row[column]), history.steps[at].place)
        for column, at in history.origins.items()
    }
    changing = [step.place for step in history.steps if step.deed not in {"unchanged", "not applied"}]
    return Origins(history.row is not None, changing, columns)


def deeds(history: RowHistory) -> list[tuple[str, str | None]]:
    return [(step.deed, step.reason) for step in history.steps]


@settings(max_examples=25)
@given(logs)
def test_every_row_of_any_log_has_the_history_that_the_second_fold_gives(log: Logbook) -> None:
    expected = row_origins(json_of(log, entries_of(log)))
    found = {}
    for table, key in expected:
        name = read_row_name(table, key)
        found[table, key] = origins_of(name, traced(log, name))
    assert found == expected


def test_a_row_deleted_with_its_connection_says_so() -> None:
    log = busy()
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=thing(1)))
    for table, at in (("dlq_events", 3), ("sync_runs", 2)):
        history = traced(log, read_row_name(table, [thing(at)]))
        assert history.row is None
        assert history.last_row is not None
        assert deeds(history)[-1] == ("cascaded", f"with source_connections {thing(1)}")
    assert deeds(traced(log, read_row_name("source_connections", [thing(1)])))[-1] == ("deleted", None)


def test_the_history_of_an_id_that_is_used_again_has_both_rows() -> None:
    log = founded()
    connect(log)
    log.add(ORG, ANN, letter(thing(1)))
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=thing(1)))
    log.add(ORG, ANN, connection_created(thing(1), project(3)))
    place = log.add(ORG, ANN, letter(thing(1)))[0]
    history = traced(log, read_row_name("dlq_events", [thing(3)]))
    assert [deed for deed, _ in deeds(history)] == ["inserted", "cascaded", "inserted"]
    assert {history.steps[at].place for at in history.origins.values()} == {place.text}


def test_an_entry_that_writes_the_same_value_does_not_count_as_setting_it() -> None:
    log = founded()
    connect(log)
    set_at = log.add(ORG, ANN, facts.ConnectionUpdated(connection_id=thing(1), name="b"))[0]
    again = log.add(ORG, ANN, facts.ConnectionUpdated(connection_id=thing(1), name="b"))[0]
    history = traced(log, read_row_name("source_connections", [thing(1)]))
    assert history.steps[history.origins["name"]].place == set_at.text
    assert (history.steps[-1].place, history.steps[-1].deed) == (again.text, "unchanged")


def test_a_step_has_its_entry_actor_and_command() -> None:
    log = founded()
    place = log.add(ORG, ANN, facts.MemberAdded(role="viewer", user_id=BOB), principal="service:importer")[0]
    (step,) = traced(log, read_row_name("org_members", [ORG, BOB])).steps
    assert (step.place, step.id, step.action, step.actor_user_id) == (place.text, place.id, "ADD_MEMBER", ANN)
    entry = json_of(log, entries_of(log))[-1]
    assert (step.created_at, step.command_id) == (entry["created_at"], entry["metadata_json"]["command_id"])
    assert step.principal == "service:importer"
    assert step.columns == {
        "org_id": (None, ORG),
        "user_id": (None, BOB),
        "role": (None, "viewer"),
        "created_at": (None, entry["created_at"]),
    }


@pytest.mark.parametrize("is_known", [True, False], ids=["by the tables", "by the log alone"])
def test_entries_of_an_org_in_quarantine_are_shown_as_not_applied(*, is_known: bool) -> None:
    log = founded()
    poison = an_unknown_action(log)
    log.add(ORG, ANN, facts.OrgRenamed(name="late"))
    made = log.add(ORG, ANN, facts.ProjectCreated(name="kept", project_id=project(5)))[0]
    log.add(ORG, ANN, facts.ProjectRenamed(name="lost", project_id=project(5)))
    frozen = {ORG: poison.position} if is_known else {}
    reason = f"its org has been in quarantine since {poison.text}"
    assert deeds(traced(log, read_row_name("orgs", [ORG]), frozen)) == [("inserted", None), ("not applied", reason)]
    kept = traced(log, read_row_name("projects", [project(5)]), frozen)
    assert deeds(kept) == [("inserted", reason), ("not applied", reason)]
    assert kept.row is not None
    assert (kept.row["name"], kept.steps[kept.origins["name"]].place) == ("kept", made.text)


def test_rows_are_named_with_and_without_the_schema_and_in_any_case() -> None:
    upper = ORG.upper()
    for word in ("orgs", "public.orgs", "ORGS"):
        assert read_row_name(word, [upper]) == RowName("public.orgs", (ORG,))
    for word in ("auth.users", "auth_users", "users"):
        assert read_row_name(word, [ANN]) == RowName("auth.users", (ANN,))


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["org", ORG], "there is no table org: the tables are auth.users, orgs, org_members"),
        (["daybook.quarantine", ORG], "there is no table daybook.quarantine"),
        (["audit_log", ORG], "is an entry itself"),
        (["public.audit_log", ORG], "is an entry itself"),
        (["orgs", ORG, ANN], "a row of public.orgs is named by id: give 1, not 2"),
        (["org_members", ORG], "is named by org_id and user_id: give 2, not 1"),
        (["org_members", ORG, "ann"], "user_id 'ann' is not an id"),
    ],
)
def test_a_wrong_table_or_key_is_refused_with_advice(words: list[str], advice: str) -> None:
    with pytest.raises(MalformedRowName, match=advice):
        read_row_name(words[0], words[1:])


def test_rows_of_all_tables_except_the_log_can_be_explained() -> None:
    for table, (key, _) in COLUMNS.items():
        if table != "audit_log":
            assert read_row_name(table, [ORG] * len(key)).table == (table if "." in table else f"public.{table}")
