"""What Daybook itself says to a command: a connection has at most one open alert per rule, and its severity only grows.

Enters: an accepted command, the org before and after it. Leaves: the events that stand after the command's own.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from daybook_command.domain.children import activity_of
from daybook_command.domain.decision import DecisionContext, NewEntry
from daybook_command.domain.state import FAILURES_COUNTED, Org
from daybook_contracts.commands.connections import DeleteConnection
from daybook_contracts.commands.dead_letters import RecordDlqEvent, ResolveDlqEvent, ResolveDlqEvents
from daybook_contracts.commands.syncs import CompleteSync, FailSync
from daybook_contracts.entries.facts import ACTION_OF, AlertEscalated, AlertRaised, AlertResolved
from daybook_contracts.entries.fields import Rule, Severity
from daybook_contracts.entries.identity import policy_alert_id
from daybook_contracts.senders.principals import DAYBOOK

Watched = CompleteSync | FailSync | RecordDlqEvent | ResolveDlqEvent | ResolveDlqEvents | DeleteConnection
"""After no other command does a policy want anything new."""

Wanted = Mapping[Rule, Severity | None]
"""Of the rules that a command is a matter of, in the order of their entries; None where all is well again."""

_CRITICAL_PENDING: Final = 100
_RANKS: Final = {"info": 0, "warning": 1, "critical": 2}
_MESSAGES: Final[Mapping[tuple[Rule, Severity], str]] = {
    ("sync_failing", "warning"): "The last sync of this connection failed.",
    ("sync_failing", "critical"): f"At least {FAILURES_COUNTED} syncs of this connection failed in a row.",
    ("dlq_backlog", "warning"): "Dead letters of this connection are pending.",
    ("dlq_backlog", "critical"): f"At least {_CRITICAL_PENDING} dead letters of this connection are pending.",
    ("sync_stalled", "critical"): "A sync of this connection ran for too long, so it was ended as failed.",
}


def policy_events(command: Watched, before: Org, after: Org, context: DecisionContext) -> tuple[NewEntry, ...]:
    connection_id = _connection_of(command, before)
    wanted = _wanted(command, connection_id, after, context)
    changes = (_change(rule, severity, connection_id, before) for rule, severity in wanted.items())
    project_id = before.connections[connection_id].project_id
    return tuple(
        NewEntry(ACTION_OF[type(fact)], "integration_alert", fact.alert_id, project_id, fact, by_policy=True)
        for fact in changes
        if fact is not None
    )


def _connection_of(command: Watched, before: Org) -> str:
    match command:
        case CompleteSync() | FailSync():
            return before.runs[command.data.sync_run_id].connection_id
        case ResolveDlqEvent():
            return before.dead_letters[command.data.dlq_event_id].connection_id
        case RecordDlqEvent() | ResolveDlqEvents() | DeleteConnection():
            return command.data.connection_id
        case _:
            assert_never(command)


def _wanted(command: Watched, connection_id: str, after: Org, context: DecisionContext) -> Wanted:
    match command:
        case DeleteConnection():
            return {"sync_failing": None, "dlq_backlog": None, "sync_stalled": None}
        case CompleteSync():
            return {"sync_failing": None, "sync_stalled": None}
        case FailSync():
            failures = activity_of(after, connection_id).failures
            failing: Wanted = {"sync_failing": "critical" if failures >= FAILURES_COUNTED else "warning"}
            # Only Daybook's own command says that the run was too old; a publisher's TIMED_OUT is its own affair.
            return {**failing, "sync_stalled": "critical"} if context.principal == DAYBOOK else failing
        case RecordDlqEvent():
            pending = activity_of(after, connection_id).pending
            return {"dlq_backlog": "critical" if pending >= _CRITICAL_PENDING else "warning"}
        case ResolveDlqEvent() | ResolveDlqEvents():
            return {"dlq_backlog": None} if activity_of(after, connection_id).pending == 0 else {}
        case _:
            assert_never(command)


def _change(
    rule: Rule, severity: Severity | None, connection_id: str, org: Org
) -> AlertRaised | AlertEscalated | AlertResolved | None:
    """What brings the alert to where it should be; None where it is there already, or higher."""
    alert_id = policy_alert_id(connection_id, rule)
    alert = org.alerts.get(alert_id)
    if severity is None:
        return None if alert is None else AlertResolved(alert_id=alert_id, connection_id=connection_id, rule=rule)
    message = _MESSAGES[rule, severity]
    if alert is None:
        project_id = org.connections[connection_id].project_id
        return AlertRaised(
            alert_id=alert_id,
            connection_id=connection_id,
            message=message,
            project_id=project_id,
            rule=rule,
            severity=severity,
        )
    if _RANKS[severity] <= _RANKS[alert.severity]:
        return None
    return AlertEscalated(alert_id=alert_id, connection_id=connection_id, message=message, rule=rule, severity=severity)
