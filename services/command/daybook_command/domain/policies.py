"""Policies: make the entries that raise, escalate or resolve alerts after a command's success entry. They get the
entry's fact and the org before and after it.

A connection has at most one open alert for each rule. The severity of an open alert only rises.
"""

from collections.abc import Mapping
from typing import Final, assert_never, get_args

from daybook_command.domain.activity import activity_of
from daybook_command.domain.decision import NewEntry
from daybook_command.domain.handlers import Target, successful_entry
from daybook_command.domain.state import Org
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Rule, Severity
from daybook_contracts.entries.identity import policy_alert_id
from daybook_contracts.senders.principals import DAYBOOK, Principal

Watched = (
    facts.SyncCompleted
    | facts.SyncFailed
    | facts.DlqEventRecorded
    | facts.DlqEventResolved
    | facts.DlqEventsResolved
    | facts.ConnectionDeleted
)
"""The facts on which policies act."""

Severities = Mapping[Rule, Severity | None]
"""For each rule, the severity that its alert should have, or None if no alert should be open. The alert entries of a
command are in the order of this mapping.
"""

CRITICAL_FAILURES: Final = 3
_CRITICAL_PENDING: Final = 100
_MOST_SEVERE_FIRST: Final[tuple[Severity, ...]] = get_args(Severity)
"""All severities. A lower index is more severe."""
_MESSAGES: Final[Mapping[tuple[Rule, Severity], str]] = {
    ("sync_failing", "warning"): "The last sync of this connection failed.",
    ("sync_failing", "critical"): f"At least {CRITICAL_FAILURES} syncs of this connection failed in a row.",
    ("dlq_backlog", "warning"): "Dead letters of this connection are pending.",
    ("dlq_backlog", "critical"): f"At least {_CRITICAL_PENDING} dead letters of this connection are pending.",
    ("sync_stalled", "critical"): "A sync of this connection ran for too long, so it was ended as failed.",
}


def policy_entries(
    command: Command, fact: Watched, before: Org, after: Org, principal: Principal
) -> tuple[NewEntry, ...]:
    connection_id = fact.connection_id
    severities = _severities(fact, after, principal)
    changes = (_alert_change(rule, severity, connection_id, before) for rule, severity in severities.items())
    project_id = before.connections[connection_id].project_id
    return tuple(
        successful_entry(
            command,
            facts.ACTION_OF[type(change)],
            Target("integration_alert", change.alert_id, project_id),
            change,
            by_policy=True,
        )
        for change in changes
        if change is not None
    )


def _severities(fact: Watched, after: Org, principal: Principal) -> Severities:
    match fact:
        case facts.ConnectionDeleted():
            return {"sync_failing": None, "dlq_backlog": None, "sync_stalled": None}
        case facts.SyncCompleted():
            return {"sync_failing": None, "sync_stalled": None}
        case facts.SyncFailed():
            failures = activity_of(after, fact.connection_id).failures
            failing: Severities = {"sync_failing": "critical" if failures >= CRITICAL_FAILURES else "warning"}
            # Any publisher can send the text TIMED_OUT. Only Daybook's own command proves that the run took too long.
            return {**failing, "sync_stalled": "critical"} if principal == DAYBOOK else failing
        case facts.DlqEventRecorded():
            pending = activity_of(after, fact.connection_id).pending
            return {"dlq_backlog": "critical" if pending >= _CRITICAL_PENDING else "warning"}
        case facts.DlqEventResolved() | facts.DlqEventsResolved():
            return {"dlq_backlog": None} if activity_of(after, fact.connection_id).pending == 0 else {}
        case _:
            assert_never(fact)


def _alert_change(
    rule: Rule, severity: Severity | None, connection_id: str, org: Org
) -> facts.AlertRaised | facts.AlertEscalated | facts.AlertResolved | None:
    """The fact that gives the rule's alert this severity, or resolves the alert if `severity` is None. None if there is
    nothing to change; an alert with a higher severity keeps it.
    """
    alert_id = policy_alert_id(connection_id, rule)
    alert = org.alerts.get(alert_id)
    if severity is None:
        return None if alert is None else facts.AlertResolved(alert_id=alert_id, connection_id=connection_id, rule=rule)
    message = _MESSAGES[rule, severity]
    if alert is None:
        project_id = org.connections[connection_id].project_id
        return facts.AlertRaised(
            alert_id=alert_id,
            connection_id=connection_id,
            message=message,
            project_id=project_id,
            rule=rule,
            severity=severity,
        )
    if _MOST_SEVERE_FIRST.index(severity) >= _MOST_SEVERE_FIRST.index(alert.severity):
        return None
    return facts.AlertEscalated(
        alert_id=alert_id, connection_id=connection_id, message=message, rule=rule, severity=severity
    )
