"""integration_alerts: one row per open alert. Resolved alerts remain only in the log."""

from collections.abc import Iterable

from daybook_contracts.entries.facts import AlertEscalated, AlertRaised, AlertResolved
from daybook_projector.projections.changes import Change, Delete, Insert, Table, Update
from daybook_projector.projections.rule import Columns, Rules

INTEGRATION_ALERTS = Table(
    "public.integration_alerts",
    key=("id",),
    columns={"id": "uuid", "project_id": "uuid", "severity": "text", "message": "text"},
)


def raised(_entry: Columns, fact: AlertRaised) -> Iterable[Change]:
    row = {
        "id": fact.alert_id,
        "project_id": fact.project_id,
        "severity": fact.severity,
        "message": fact.message,
    }
    return (Insert(INTEGRATION_ALERTS, row),)


def escalated(_entry: Columns, fact: AlertEscalated) -> Iterable[Change]:
    return (Update(INTEGRATION_ALERTS, (fact.alert_id,), {"severity": fact.severity, "message": fact.message}),)


def resolved(_entry: Columns, fact: AlertResolved) -> Iterable[Change]:
    return (Delete(INTEGRATION_ALERTS, (fact.alert_id,)),)


RULES: Rules = {AlertRaised: raised, AlertEscalated: escalated, AlertResolved: resolved}
