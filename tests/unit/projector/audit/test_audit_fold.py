"""The auditors' fold has the same rows as the tests' own fold, however the log is cut and whichever entries cannot be
applied.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from daybook_contracts.entries import facts
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.fields import Fact
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from support.audit_folds import entries_of, expected, folded, folding, json_of, rows_of, take
from support.histories import logs
from support.hub_scene import connection_created
from support.logbook import Logbook, log_with, org, org_in, project, thing, user_in
from support.poison import (
    ANN,
    BOB,
    ORG,
    OTHER_ORG,
    busy,
    connect,
    founded,
    letter,
)
from support.recounted import ACTIVITY
from support.second_fold import SecondFold, jcs_rows

LIMITS = st.sampled_from([1, 2, 7, 1000])
HELD = st.sampled_from([0, 3000, 2**24])
"""With 0, every row is written to disk immediately, and read again when it is needed."""


@given(logs, LIMITS, HELD)
def test_any_cut_of_any_log_gives_the_rows_of_the_second_fold(log: Logbook, limit: int, max_held: int) -> None:
    rows, poison = folded(log, limit, max_held)
    assert poison == []
    assert rows == expected(log)


@settings(max_examples=40)
@given(logs, st.sets(st.integers(0, 100), max_size=4), LIMITS, HELD)
def test_each_entry_that_cannot_be_applied_is_found(log: Logbook, dropped: set[int], limit: int, max_held: int) -> None:
    """Some entries are dropped, so that later entries contradict the rows."""
    entries = [entry for entry in entries_of(log) if entry.head.position not in dropped]
    second = SecondFold().take(json_of(log, entries))
    with TemporaryDirectory() as folder, folding(Path(folder), max_held=max_held) as fold:
        poison = take(fold, entries, limit)
        assert [each.position for each in poison] == second.poison
        rows = {name: found for name, found in rows_of(fold).items() if name != ACTIVITY}
        assert rows == jcs_rows(second.tables, activity=False)


@settings(max_examples=40)
@given(logs, st.integers(0, 60), LIMITS)
def test_a_fold_that_is_closed_and_opened_again_continues(log: Logbook, cut: int, limit: int) -> None:
    entries = entries_of(log)
    with TemporaryDirectory() as name:
        for part in (entries[:cut], entries[cut:]):
            with folding(Path(name)) as fold:
                take(fold, part, limit)
        with folding(Path(name)) as fold:
            assert rows_of(fold) == expected(log)


@settings(max_examples=40)
@given(logs, st.dictionaries(st.sampled_from([org(1), org(2)]), st.integers(0, 60)), LIMITS)
def test_entries_of_an_org_in_quarantine_only_insert_orgs_and_projects(
    log: Logbook, frozen: dict[str, int], limit: int
) -> None:
    second = SecondFold(dict(frozen)).take(json_of(log, entries_of(log)))
    with TemporaryDirectory() as folder, folding(Path(folder), frozen=frozen) as fold:
        assert take(fold, entries_of(log), limit) == []
        assert rows_of(fold) == jcs_rows(second.tables)


def test_every_action_is_folded() -> None:
    log = busy()
    rest: list[Fact] = [
        facts.OrgRenamed(name="z"),
        facts.MemberUpdated(role="viewer", user_id=BOB, project_ids=()),
        facts.ProjectMemberAdded(project_id=project(3), role="viewer", user_id=BOB),
        facts.ProjectMemberRemoved(project_id=project(3), user_id=BOB),
        facts.MemberRemoved(user_id=BOB, project_ids=()),
        facts.ConnectionUpdated(connection_id=thing(1), name="new"),
        facts.ConnectionActivated(connection_id=thing(1)),
        *[facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(20 + n)) for n in range(2)],
        facts.SyncFailed(connection_id=thing(1), sync_run_id=thing(20), error_message="a\u2028\x01\x7f😀"),
        facts.SyncCancelled(connection_id=thing(1), sync_run_id=thing(21)),
        facts.DlqEventRecorded(connection_id=thing(1), dlq_event_id=thing(30), payload=Raw(b'{"1":1e+21}')),
        facts.DlqEventRetried(connection_id=thing(1), dlq_event_id=thing(30), retry_count=7),
        facts.DlqEventsRetried(connection_id=thing(1), ids=(thing(30),)),
        facts.DlqEventsResolved(connection_id=thing(1), ids=(thing(30),), resolution="manual"),
        facts.AlertRaised(alert_id=thing(40), project_id=project(3), severity="info", message="m"),
        facts.AlertEscalated(
            alert_id=thing(40), connection_id=thing(1), message="n", rule="dlq_backlog", severity="critical"
        ),
        facts.SecretRefRotated(secret_ref_id=thing(9), secret_id_ref="env:C"),
        connection_created(thing(50), project(3)),
        facts.ConnectionDeleted(connection_id=thing(50)),
    ]
    log.add(ORG, ANN, *rest)
    missing = set(ENTRY_DATA) - {entry["action"] for entry in json_of(log, entries_of(log))}
    assert missing == set()
    assert folded(log) == (expected(log), [])


def test_a_connection_that_is_created_again_has_no_old_children() -> None:
    log = founded()
    connect(log)
    log.add(ORG, ANN, letter(thing(1)), facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(2)))
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=thing(1)), connection_created(thing(1), project(3)))
    log.add(ORG, ANN, letter(thing(1)))
    rows, found = folded(log)
    assert (len(rows["dlq_events"]), rows["sync_runs"], found) == (1, [], [])


def test_amounts_are_added_to_existing_values() -> None:
    log = founded()
    connect(log)
    log.add(ORG, ANN, letter(thing(1)))
    log.add(ORG, ANN, facts.DlqEventRetried(connection_id=thing(1), dlq_event_id=thing(3), retry_count=2**31 - 2))
    again = facts.DlqEventsRetried(connection_id=thing(1), ids=(thing(3),))
    log.add(ORG, ANN, again)
    rows, found = folded(log, max_held=0)
    assert b'"retry_count":2147483647' in rows["dlq_events"][0][1]
    assert found == []
    log.add(ORG, ANN, again)
    assert folded(log) == (rows, [(ORG, log.heads[0].position)])


def test_memory_is_bounded_if_small_entries_change_large_rows(tmp_path: Path) -> None:
    log, letters = founded(), [thing(number) for number in range(100, 140)]
    connect(log)
    payload = Raw(b'"' + b"x" * 50_000 + b'"')
    for id_ in letters:
        log.add(ORG, ANN, facts.DlqEventRecorded(connection_id=thing(1), dlq_event_id=id_, payload=payload))
    for id_ in letters:
        log.add(ORG, ANN, facts.DlqEventsRetried(connection_id=thing(1), ids=(id_,)))
    with folding(tmp_path, max_held=200_000) as fold:
        for entry in entries_of(log):
            assert fold.take([entry]) == []
            # One entry may exceed the bound.
            assert len(fold._rows._rows[DLQ_EVENTS]) <= 5
            assert fold._rows.held < 300_000
        assert all(b'"retry_count":1' in row for _, row in fold.rows(DLQ_EVENTS))


def test_a_key_name_is_free_again_after_its_deletion() -> None:
    log = founded()
    for number in (1, 2):
        if number == 2:
            log.add(ORG, ANN, facts.SecretRefDeleted(secret_ref_id=thing(1)))
        log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(number), key_name="a", secret_id_ref="env:A"))
    log.add(OTHER_ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(3), key_name="a", secret_id_ref="env:A"))
    for max_held in (0, 2**24):
        rows, found = folded(log, max_held=max_held)
        assert (len(rows["secret_refs"]), found) == (2, [])


def test_a_row_that_was_folded_is_found(tmp_path: Path) -> None:
    log = founded()
    connect(log)
    with folding(tmp_path, max_held=0) as fold:
        take(fold, entries_of(log))
        found = fold.find(SOURCE_CONNECTIONS, (thing(1),))
    assert found is not None
    assert found["is_active"] is True
    assert found["config_json"] == "{}"


def test_rows_of_partitions_are_merged_in_the_order_of_their_keys(tmp_path: Path) -> None:
    log = log_with(*(org_in(at, 3, nth) for nth in range(4) for at in range(3)), users=[user_in(1, 3)], partitions=3)
    parts = [SecondFold().take(json_of(log, entries_of(log, at), at)).tables for at in range(3)]
    with folding(tmp_path, 0) as one, folding(tmp_path, 1) as two, folding(tmp_path, 2) as three:
        for at, fold in enumerate((one, two, three)):
            take(fold, entries_of(log, at))
        found = rows_of(one, two, three)
    for name, rows in found.items():
        assert rows == sorted(row for part in parts for row in jcs_rows(part)[name])
    assert len(found["orgs"]) == 12


def test_merging_drops_duplicates_but_keeps_different_rows_with_the_same_key(tmp_path: Path) -> None:
    names = ("a", "a", "b")
    with folding(tmp_path, 0) as one, folding(tmp_path, 1) as two, folding(tmp_path, 2) as three:
        for name, fold in zip(names, (one, two, three), strict=True):
            log = founded()
            log.add(ORG, ANN, facts.OrgRenamed(name=name))
            take(fold, entries_of(log))
        assert len(rows_of(one, two)["orgs"]) == 2
        assert len(rows_of(one, two, three)["orgs"]) == 3
