"""Folds one success entry of the hub into an org. Enters: the org before and the entry's data; leaves: the org after.

Raises KeyError where the data names what is not there. A connection's activity that nobody looked up stays unknown.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

from immutables import Map

from daybook_command.domain.evolve_connections import (
    ConnectionChange,
    SecretRefChange,
    evolve_connections,
    evolve_secret_refs,
)
from daybook_command.domain.state import FAILURES_COUNTED, Activity, Alert, Connection, DeadLetter, Org, Run
from daybook_contracts.entries.facts import (
    AlertEscalated,
    AlertRaised,
    AlertResolved,
    DlqEventRecorded,
    DlqEventResolved,
    DlqEventRetried,
    DlqEventsResolved,
    DlqEventsRetried,
    SecretRefCreated,
    SecretRefDeleted,
    SecretRefRotated,
    SyncCancelled,
    SyncCompleted,
    SyncFailed,
    SyncStarted,
)

SyncEnd = SyncCompleted | SyncFailed | SyncCancelled
DeadLetterChange = DlqEventRecorded | DlqEventRetried | DlqEventResolved | DlqEventsRetried | DlqEventsResolved
AlertChange = AlertRaised | AlertEscalated | AlertResolved
HubChange = ConnectionChange | SecretRefChange | SyncStarted | SyncEnd | DeadLetterChange | AlertChange


def evolve_hub(org: Org, fact: HubChange) -> Org:
    match fact:
        case SyncStarted():
            return _started(org, fact)
        case SyncCompleted() | SyncFailed() | SyncCancelled():
            return _ended(org, fact)
        case DlqEventRecorded() | DlqEventRetried() | DlqEventResolved() | DlqEventsRetried() | DlqEventsResolved():
            return _evolve_dead_letters(org, fact)
        case AlertRaised() | AlertEscalated() | AlertResolved():
            return replace(org, alerts=_evolve_alerts(org.alerts, fact))
        case SecretRefCreated() | SecretRefRotated() | SecretRefDeleted():
            return evolve_secret_refs(org, fact)
        case _:
            return evolve_connections(org, fact)


def _with_activity(org: Org, connection_id: str, change: Callable[[Activity], Activity]) -> Map[str, Connection]:
    connection = org.connections[connection_id]
    if connection.activity is None:
        return org.connections
    return org.connections.set(connection_id, replace(connection, activity=change(connection.activity)))


def _started(org: Org, fact: SyncStarted) -> Org:
    return replace(
        org,
        connections=_with_activity(org, fact.connection_id, lambda was: replace(was, running=fact.sync_run_id)),
        runs=org.runs.set(fact.sync_run_id, Run(fact.connection_id, "running")),
    )


def _ended(org: Org, fact: SyncEnd) -> Org:
    ended = replace(org.runs[fact.sync_run_id], status=_status(fact))
    return replace(
        org,
        connections=_with_activity(org, fact.connection_id, lambda was: _after_end(was, fact)),
        runs=org.runs.set(fact.sync_run_id, ended),
    )


def _status(fact: SyncEnd) -> str:
    match fact:
        case SyncCompleted():
            return "success"
        case SyncFailed():
            return "failed"
        case SyncCancelled():
            return "cancelled"
        case _:
            assert_never(fact)


def _after_end(was: Activity, fact: SyncEnd) -> Activity:
    match fact:
        case SyncCompleted():
            return replace(was, running=None, failures=0)
        case SyncFailed():
            return replace(was, running=None, failures=min(was.failures + 1, FAILURES_COUNTED))
        case SyncCancelled():
            return replace(was, running=None)
        case _:
            assert_never(fact)


def _evolve_dead_letters(org: Org, fact: DeadLetterChange) -> Org:
    letters = org.dead_letters
    match fact:
        case DlqEventRecorded():
            return _recorded(org, fact)
        case DlqEventRetried():
            retried = replace(letters[fact.dlq_event_id], retry_count=fact.retry_count)
            return replace(org, dead_letters=letters.set(fact.dlq_event_id, retried))
        case DlqEventResolved():
            return _resolved(org, fact.connection_id, (fact.dlq_event_id,))
        case DlqEventsRetried():
            return replace(org, dead_letters=_each(letters, fact.ids, _retried))
        case DlqEventsResolved():
            return _resolved(org, fact.connection_id, fact.ids)
        case _:
            assert_never(fact)


def _recorded(org: Org, fact: DlqEventRecorded) -> Org:
    recorded = DeadLetter(fact.connection_id, pending=True, retry_count=0)
    return replace(
        org,
        connections=_with_activity(org, fact.connection_id, lambda was: replace(was, pending=was.pending + 1)),
        dead_letters=org.dead_letters.set(fact.dlq_event_id, recorded),
    )


def _resolved(org: Org, connection_id: str, ids: tuple[str, ...]) -> Org:
    """Where not all pending ones were counted, more can be resolved than were."""
    ended = sum(org.dead_letters[id_].pending for id_ in ids)
    return replace(
        org,
        connections=_with_activity(org, connection_id, lambda was: replace(was, pending=max(was.pending - ended, 0))),
        dead_letters=_each(org.dead_letters, ids, lambda letter: replace(letter, pending=False)),
    )


def _retried(letter: DeadLetter) -> DeadLetter:
    return replace(letter, retry_count=letter.retry_count + 1)


def _each(
    letters: Map[str, DeadLetter], ids: Iterable[str], change: Callable[[DeadLetter], DeadLetter]
) -> Map[str, DeadLetter]:
    return letters.update({id_: change(letters[id_]) for id_ in ids})


def _evolve_alerts(alerts: Map[str, Alert], fact: AlertChange) -> Map[str, Alert]:
    match fact:
        case AlertRaised():
            return alerts.set(fact.alert_id, Alert(fact.project_id, fact.severity))
        case AlertEscalated():
            return alerts.set(fact.alert_id, replace(alerts[fact.alert_id], severity=fact.severity))
        case AlertResolved():
            return alerts.delete(fact.alert_id)
        case _:
            assert_never(fact)
