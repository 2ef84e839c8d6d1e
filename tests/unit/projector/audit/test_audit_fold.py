"""The auditors' fold: the same rows as the tests' own fold, wherever the log is cut and whatever cannot be applied."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from daybook_contracts.entries import facts
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.fields import Fact
from daybook_projector.audit.fold.fold import NO_ORG, PartitionFold
from daybook_projector.projections.changes import Change, Delete, Insert, Update
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.secret_refs import SECRET_REFS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from support.audit_folds import FOLDS, Rows, entries_of, folding, json_of, rows_of, take
from support.histories import logs
from support.hub_scene import connection_created
from support.logbook import Logbook, log_with, org, org_in, project, thing, user_in
from support.poison import (
    ANN,
    BOB,
    ORG,
    OTHER_ORG,
    POISONS,
    Poisoning,
    a_name_too_long_for_an_index,
    a_row_that_is_not_there,
    busy,
    connect,
    founded,
    letter,
)
from support.second_fold import SecondFold, jcs_rows

FOUND = [each for each in POISONS if each is not a_name_too_long_for_an_index]
LIMITS = st.sampled_from([1, 2, 7, 1000])
HELD = st.sampled_from([0, 3000, 2**24])
"""0: every row is written, and read again, at once."""


def folded(log: Logbook, limit: int = 1000, max_held: int = 2**24) -> tuple[Rows, list[tuple[str, int]]]:
    """The rows, and the orgs and positions of what could not be applied."""
    with TemporaryDirectory() as folder, folding(Path(folder), max_held=max_held) as fold:
        poison = take(fold, entries_of(log), limit)
        return rows_of(fold), [(each.org_id, each.position) for each in poison]


def expected(log: Logbook) -> Rows:
    return jcs_rows(SecondFold().take(json_of(log, entries_of(log))).tables)


@given(logs, LIMITS, HELD)
def test_any_cut_of_any_log_gives_the_rows_of_the_second_fold(log: Logbook, limit: int, max_held: int) -> None:
    rows, poison = folded(log, limit, max_held)
    assert poison == []
    assert rows == expected(log)


@settings(max_examples=40)
@given(logs, st.sets(st.integers(0, 100), max_size=4), LIMITS, HELD)
def test_what_does_not_fit_is_found_entry_by_entry(log: Logbook, dropped: set[int], limit: int, max_held: int) -> None:
    """Without some of their entries, logs contradict themselves."""
    entries = [entry for entry in entries_of(log) if entry.head.position not in dropped]
    second = SecondFold().take(json_of(log, entries))
    with TemporaryDirectory() as folder, folding(Path(folder), max_held=max_held) as fold:
        poison = take(fold, entries, limit)
        assert [each.position for each in poison] == second.poison
        assert rows_of(fold) == jcs_rows(second.tables)


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
def test_orgs_in_quarantine_only_get_orgs_and_projects_from_their_position_on(
    log: Logbook, frozen: dict[str, int], limit: int
) -> None:
    second = SecondFold(dict(frozen)).take(json_of(log, entries_of(log)))
    with TemporaryDirectory() as folder, folding(Path(folder), frozen=frozen) as fold:
        assert take(fold, entries_of(log), limit) == []
        assert rows_of(fold) == jcs_rows(second.tables)


def test_an_org_that_has_stopped_stays_so_when_the_fold_is_opened_again(tmp_path: Path) -> None:
    log = founded()
    a_row_that_is_not_there(log)
    before = len(entries_of(log))
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    log.add(ORG, ANN, facts.OrgCreated(name="again"))
    log.add(OTHER_ORG, ANN, facts.MemberAdded(role="member", user_id=ANN))
    for part, expected_poison in ((slice(before), 1), (slice(before, None), 1)):
        with folding(tmp_path) as fold:
            assert len(take(fold, entries_of(log)[part])) == expected_poison
            found = rows_of(fold)
    assert b'"name":"a"' in found["orgs"][0][1]
    assert len(found["org_members"]) == 2


def test_the_earlier_of_two_positions_stops_an_org(tmp_path: Path) -> None:
    log = founded()
    a_row_that_is_not_there(log)
    with folding(tmp_path) as fold:
        take(fold, entries_of(log))
    before = len(entries_of(log))
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    with folding(tmp_path, frozen={ORG: before + 10}) as fold:
        take(fold, entries_of(log)[before:])
        assert b'"name":"a"' in rows_of(fold)["orgs"][0][1]


def test_an_org_is_one_however_its_id_is_written() -> None:
    log = founded()
    place = log.add(ORG.upper(), ANN, facts.OrgRenamed(name="poison"))[0]
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    rows, found = folded(log)
    assert found == [(ORG, place.position)]
    assert b'"name":"a"' in rows["orgs"][0][1]


def test_an_org_without_a_founder_is_kept_without_members() -> None:
    log = founded()
    place = log.add(org(3), None, facts.OrgCreated(name="a"))[0]
    rows, found = folded(log)
    assert found == [(org(3), place.position)]
    assert (len(rows["orgs"]), len(rows["org_members"])) == (3, 2)


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


@pytest.mark.parametrize("max_held", [0, 2**24])
@pytest.mark.parametrize("poison", FOUND, ids=lambda poison: poison.__name__)
def test_an_entry_that_cannot_be_applied_stops_its_org_only(poison: Poisoning, max_held: int) -> None:
    log = founded()
    place = poison(log)
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="later"))
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    rows, found = folded(log, max_held=max_held)
    assert found == [(ORG, place.position)]
    names = [row.partition(b'"name":')[2] for _, row in rows["orgs"]]
    assert names == [b'"a"}', b'"later"}']


def test_an_entry_is_applied_whole_or_not_at_all() -> None:
    log = founded()
    log.add(ORG, ANN, facts.ProjectCreated(name="p", project_id=project(1)))
    log.add(ORG, ANN, facts.MemberAdded(role="member", user_id=BOB))
    log.add(ORG, ANN, facts.MemberRemoved(user_id=BOB, project_ids=(project(1),)))
    rows, found = folded(log)
    assert found == [(ORG, log.heads[0].position)]
    assert len(rows["org_members"]) == 3
    assert rows == expected(log)


def test_what_an_entry_that_cannot_be_applied_has_done_is_undone() -> None:
    """Its rows, unique values and deletions, all of which entries of other orgs may find."""
    log, leaving = founded(), facts.ConnectionDeleted(connection_id=thing(1))
    connect(log)
    log.add(ORG, ANN, letter(thing(1)))

    def fold_of_all(_columns: object, _fact: object) -> list[Change]:
        row = {"id": thing(9), "org_id": OTHER_ORG, "key_name": "a", "secret_id_ref": "env:A"}
        gone = Delete(SOURCE_CONNECTIONS, (thing(1),))
        return [Insert(SECRET_REFS, row), gone, Update(ORGS, (OTHER_ORG,), {"name": "b"}), Delete(ORGS, (org(9),))]

    log.add(ORG, ANN, leaving)
    log.add(OTHER_ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(9), key_name="a", secret_id_ref="env:B"))
    with TemporaryDirectory() as folder:
        fold = PartitionFold(Path(folder), 0, {**FOLDS, type(leaving): (fold_of_all,)})
        assert [each.org_id for each in take(fold, entries_of(log))] == [ORG]
        rows = rows_of(fold)
        fold.close()
    assert b'"secret_id_ref":"env:B"' in rows["secret_refs"][0][1]
    assert (len(rows["source_connections"]), len(rows["dlq_events"])) == (1, 1)
    assert {row.partition(b'"name":')[2] for _, row in rows["orgs"]} == {b'"a"}'}


def test_children_of_a_connection_that_is_created_again_are_gone() -> None:
    log = founded()
    connect(log)
    log.add(ORG, ANN, letter(thing(1)), facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(2)))
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=thing(1)), connection_created(thing(1), project(3)))
    log.add(ORG, ANN, letter(thing(1)))
    rows, found = folded(log)
    assert (len(rows["dlq_events"]), rows["sync_runs"], found) == (1, [], [])


def test_amounts_are_added_to_what_is_there() -> None:
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


def test_large_rows_that_small_entries_change_do_not_pile_up_in_memory(tmp_path: Path) -> None:
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
            # One entry beyond the bound.
            assert len(fold._rows._rows[DLQ_EVENTS]) <= 5
            assert fold._rows.held < 300_000
        assert all(b'"retry_count":1' in row for _, row in fold.rows(DLQ_EVENTS))


def test_a_key_name_is_free_again_after_its_deletion_only() -> None:
    log = founded()
    for number in (1, 2):
        if number == 2:
            log.add(ORG, ANN, facts.SecretRefDeleted(secret_ref_id=thing(1)))
        log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(number), key_name="a", secret_id_ref="env:A"))
    log.add(OTHER_ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(3), key_name="a", secret_id_ref="env:A"))
    for max_held in (0, 2**24):
        rows, found = folded(log, max_held=max_held)
        assert (len(rows["secret_refs"]), found) == (2, [])


def test_a_project_of_no_org_is_kept_for_nobody() -> None:
    log = founded()
    place = log.add(org(3), ANN, facts.ProjectCreated(name="a", project_id=project(1)))[0]
    rows, found = folded(log)
    assert (rows["projects"], found) == ([], [(org(3), place.position)])


def test_a_nul_is_refused_and_its_escape_is_not() -> None:
    log = founded()
    connect(log)
    payloads = (b'"\\\\u0000"', b'{"a":"\\\\\\u0000"}')
    for number, payload in enumerate(payloads, start=1):
        recorded = facts.DlqEventRecorded(connection_id=thing(1), dlq_event_id=thing(number), payload=Raw(payload))
        log.add(ORG, ANN, recorded)
    place = log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="a\0"))[0]
    rows, found = folded(log)
    assert (len(rows["dlq_events"]), found) == (1, [(ORG, place.position - 1), (OTHER_ORG, place.position)])


def test_users_who_are_registered_twice_are_found_each_time() -> None:
    log = log_with(ORG, users=[ANN])
    places = [log.register(ANN) for _ in range(2)]
    log.register(BOB)
    rows, found = folded(log)
    assert found == [(NO_ORG, place.position) for place in places]
    assert len(rows["auth.users"]) == 2


def test_an_untrusted_creation_is_kept_as_postgresql_stores_it() -> None:
    log = founded()
    log.add(org(3), ANN, facts.OrgCreated(name="a"), created_at="2026-11-22T15:10:13+02:00")
    (value,) = log.records[0][-1:]
    rows, found = folded(log)
    assert found == [(org(3), log.heads[0].position)]
    assert value is not None
    assert b'"created_at":"2026-11-22T13:10:13.000000Z"' in rows["orgs"][-1][1]


def test_an_untrusted_project_is_kept_under_the_org_in_lower_case() -> None:
    log = founded()
    place = log.add(ORG.upper(), ANN, facts.ProjectCreated(name="a", project_id=project(1)))[0]
    rows, found = folded(log)
    assert found == [(ORG, place.position)]
    assert f'"org_id":"{ORG}"'.encode() in rows["projects"][0][1]


def test_a_row_is_found_as_it_was_folded(tmp_path: Path) -> None:
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


def test_of_two_partitions_equal_rows_are_given_once_and_different_ones_both(tmp_path: Path) -> None:
    names = ("a", "a", "b")
    with folding(tmp_path, 0) as one, folding(tmp_path, 1) as two, folding(tmp_path, 2) as three:
        for name, fold in zip(names, (one, two, three), strict=True):
            log = founded()
            log.add(ORG, ANN, facts.OrgRenamed(name=name))
            take(fold, entries_of(log))
        assert len(rows_of(one, two)["orgs"]) == 2
        assert len(rows_of(one, two, three)["orgs"]) == 3
