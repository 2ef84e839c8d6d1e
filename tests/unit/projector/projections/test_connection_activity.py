"""The activity of a connection: what each entry changes in its row, and that a batch changes the row only once."""

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_contracts.entries.reading import read_entry
from daybook_projector.projections.changes import Change, Insert, NetChange, Row, Transient, Update, net_effect
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.projections.fold import fold, folds
from daybook_projector.projections.write_phases import write_phases
from support.logbook import Logbook, org, project, thing, user

ORG, ANN, SITE, LINK, RUN, LETTER, OTHER = org(1), user(1), project(1), thing(1), thing(2), thing(3), thing(4)
CREATED = facts.ConnectionCreated(config=free_json({}), connection_id=LINK, name="a", project_id=SITE, type="rss")
DELETED = facts.ConnectionDeleted(connection_id=LINK)
STARTED = facts.SyncStarted(connection_id=LINK, sync_run_id=RUN)
COMPLETED = facts.SyncCompleted(connection_id=LINK, sync_run_id=RUN)
FAILED = facts.SyncFailed(connection_id=LINK, sync_run_id=RUN, error_message="down")
CANCELLED = facts.SyncCancelled(connection_id=LINK, sync_run_id=RUN)
RECORDED = facts.DlqEventRecorded(connection_id=LINK, dlq_event_id=LETTER, payload=free_json(1))
RESOLVED = facts.DlqEventResolved(connection_id=LINK, dlq_event_id=LETTER, resolution="manual")
BOTH_RESOLVED = facts.DlqEventsResolved(connection_id=LINK, ids=(LETTER, OTHER), resolution="manual")
NEW: Row = {"connection_id": LINK, "pending": 0, "failed_in_a_row": 0, "running_run_id": None}


def changes(*made: Fact) -> list[Change]:
    """How successful entries with these facts change the activity."""
    log, rules = Logbook(), folds(managed_users=True)
    for fact in made:
        log.add(ORG, ANN, fact)
    entries = [read_entry(value or b"").entry for value in log.records[0][-len(made) :]]
    found = [change for entry, fact in zip(entries, made, strict=True) for change in fold(rules, entry, fact)]
    return [change for change in found if change.table is CONNECTION_ACTIVITY]


def update(values: Row, **added: int) -> Update:
    return Update(CONNECTION_ACTIVITY, (LINK,), values, added)


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (CREATED, [Insert(CONNECTION_ACTIVITY, NEW)]),
        (DELETED, []),
        (STARTED, [update({"running_run_id": RUN})]),
        (COMPLETED, [update({"running_run_id": None, "failed_in_a_row": 0})]),
        (FAILED, [update({"running_run_id": None}, failed_in_a_row=1)]),
        (CANCELLED, [update({"running_run_id": None})]),
        (RECORDED, [update({}, pending=1)]),
        (RESOLVED, [update({}, pending=-1)]),
        (BOTH_RESOLVED, [update({}, pending=-2)]),
        (facts.DlqEventRetried(connection_id=LINK, dlq_event_id=LETTER, retry_count=1), []),
        (facts.ConnectionDeactivated(connection_id=LINK), []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_single_entry_makes_only_the_expected_changes(fact: Fact, expected: list[Change]) -> None:
    assert changes(fact) == expected


@pytest.mark.parametrize(
    ("made", "net"),
    [
        ([RECORDED, RECORDED, BOTH_RESOLVED, RECORDED], update({}, pending=1)),
        ([STARTED, FAILED, STARTED, FAILED], update({"running_run_id": None}, failed_in_a_row=2)),
        ([FAILED, STARTED, COMPLETED], update({"running_run_id": None, "failed_in_a_row": 0})),
        ([STARTED, COMPLETED, STARTED, FAILED], update({"running_run_id": None, "failed_in_a_row": 1})),
        ([CREATED, RECORDED, STARTED], Insert(CONNECTION_ACTIVITY, {**NEW, "pending": 1, "running_run_id": RUN})),
    ],
)
def test_a_batch_has_one_change_of_the_row(made: list[Fact], net: NetChange) -> None:
    assert net_effect(changes(*made)) == (net,)


def test_a_connection_made_again_under_its_id_begins_at_zero() -> None:
    log, rules = Logbook(), folds(managed_users=True)
    made = [CREATED, RECORDED, DELETED, CREATED]
    for fact in made:
        log.add(ORG, ANN, fact)
    entries = [read_entry(value or b"").entry for value in log.records[0][-len(made) :]]
    ordered = [(ORG, change) for entry, fact in zip(entries, made, strict=True) for change in fold(rules, entry, fact)]
    phases = [[change for change in phase if change.table is CONNECTION_ACTIVITY] for phase in write_phases(ordered)]
    assert [list(net_effect(phase)) for phase in phases if phase] == [
        [Insert(CONNECTION_ACTIVITY, {**NEW, "pending": 1})],
        [Insert(CONNECTION_ACTIVITY, NEW)],
    ]
    assert not any(isinstance(change, Transient) for phase in phases for change in net_effect(phase))
