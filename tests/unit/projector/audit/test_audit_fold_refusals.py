"""An entry that the auditors' fold cannot apply stops its org, and no other org."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from msgspec import Raw

from daybook_contracts.entries import facts
from daybook_projector.audit.fold.fold import NO_ORG, PartitionFold
from daybook_projector.projections.changes import Change, Delete, Insert, Update
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.secret_refs import SECRET_REFS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from support.audit_folds import FOLDS, entries_of, expected, folded, folding, rows_of, take
from support.logbook import log_with, org, project, thing
from support.poison import (
    ANN,
    BOB,
    ORG,
    OTHER_ORG,
    POISONS,
    Poisoning,
    a_name_too_long_for_an_index,
    a_row_that_is_not_there,
    connect,
    founded,
    letter,
)

FOUND = [each for each in POISONS if each is not a_name_too_long_for_an_index]


def test_a_stopped_org_is_still_stopped_when_the_fold_is_opened_again(tmp_path: Path) -> None:
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


def test_an_org_stops_at_the_earlier_of_two_positions(tmp_path: Path) -> None:
    log = founded()
    a_row_that_is_not_there(log)
    with folding(tmp_path) as fold:
        take(fold, entries_of(log))
    before = len(entries_of(log))
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    with folding(tmp_path, frozen={ORG: before + 10}) as fold:
        take(fold, entries_of(log)[before:])
        assert b'"name":"a"' in rows_of(fold)["orgs"][0][1]


def test_ids_of_orgs_are_compared_without_case() -> None:
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


def test_the_changes_of_an_entry_that_cannot_be_applied_are_undone() -> None:
    """The entry's rows, unique values and deletions could otherwise affect entries of other orgs."""
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


def test_a_project_of_an_unknown_org_is_not_kept() -> None:
    log = founded()
    place = log.add(org(3), ANN, facts.ProjectCreated(name="a", project_id=project(1)))[0]
    rows, found = folded(log)
    assert (rows["projects"], found) == ([], [(org(3), place.position)])


def test_a_nul_is_refused_but_the_text_of_its_escape_is_not() -> None:
    log = founded()
    connect(log)
    payloads = (b'"\\\\u0000"', b'{"a":"\\\\\\u0000"}')
    for number, payload in enumerate(payloads, start=1):
        recorded = facts.DlqEventRecorded(connection_id=thing(1), dlq_event_id=thing(number), payload=Raw(payload))
        log.add(ORG, ANN, recorded)
    place = log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="a\0"))[0]
    rows, found = folded(log)
    assert (len(rows["dlq_events"]), found) == (1, [(ORG, place.position - 1), (OTHER_ORG, place.position)])


def test_each_repeated_registration_of_a_user_is_found() -> None:
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
