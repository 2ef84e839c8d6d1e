"""Alerts: commands that raise and resolve them. RESOLVE_ALERT also resolves alerts that policies raised."""

from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, Ruling, Target, Thing, ThingHandler, is_taken
from daybook_command.domain.permissions import EDITORS_AND_SERVICES, Standings, project_standings
from daybook_command.domain.projects import Project, find_project, rights_in_project
from daybook_command.domain.references import ChildKind, ChildRef, Named, chosen_id, optional_id
from daybook_command.domain.state import Org
from daybook_contracts.commands.alerts import RaiseAlert, ResolveAlert
from daybook_contracts.entries.facts import AlertEscalated, AlertRaised, AlertResolved
from daybook_contracts.entries.fields import Severity, unless_none


class Alert(Struct, frozen=True, gc=False):
    project_id: str
    severity: Severity


def _new_alert(command: RaiseAlert, new_id: str, _org: Org | None) -> Target:
    return Target("integration_alert", command.data.alert_id or new_id, command.data.project_id)


def _target(command: ResolveAlert, _new_id: str, org: Org | None) -> Target:
    alert = None if org is None else org.alerts.get(command.data.alert_id)
    return Target("integration_alert", command.data.alert_id, None if alert is None else alert.project_id)


def _named_by_raise(command: RaiseAlert) -> Named:
    alert_id = command.data.alert_id
    return Named(
        connections=optional_id(command.data.connection_id),
        alerts=optional_id(alert_id),
        chosen=chosen_id("integration_alerts", alert_id),
    )


def _named(command: ResolveAlert) -> Named:
    return Named(alerts=(command.data.alert_id,))


def _rights(command: ResolveAlert, org: Org, alert: Alert) -> Standings:
    return project_standings(command, org, alert.project_id)


def _find_alert(command: ResolveAlert, org: Org) -> Alert | Rejection:
    return org.alerts.get(command.data.alert_id, rejections.ALERT_NOT_FOUND)


def raise_alert(command: RaiseAlert, org: Org, _: Project, context: DecisionContext) -> Ruling:
    data = command.data
    alert_id = data.alert_id or context.new_id
    if data.connection_id is not None:
        connection = org.connections.get(data.connection_id)
        if connection is None or connection.project_id != data.project_id:
            return rejections.CONNECTION_NOT_IN_PROJECT
    if is_taken(alert_id, org.alerts, context):
        return rejections.ID_TAKEN
    return AlertRaised(
        alert_id=alert_id,
        connection_id=unless_none(data.connection_id),
        message=data.message,
        project_id=data.project_id,
        severity=data.severity,
    )


def resolve_alert(command: ResolveAlert, _org: Org, _alert: Alert, _context: DecisionContext) -> Ruling:
    return AlertResolved(alert_id=command.data.alert_id)


def _touches(fact: AlertRaised | AlertEscalated | AlertResolved) -> tuple[ChildRef, ...]:
    alert = ChildRef(ChildKind.ALERT, fact.alert_id)
    return (alert,) if fact.connection_id is UNSET else (ChildRef(ChildKind.CONNECTION, fact.connection_id), alert)


def _raised(org: Org, fact: AlertRaised) -> Org:
    return replace(org, alerts=org.alerts.set(fact.alert_id, Alert(fact.project_id, fact.severity)))


def _escalated(org: Org, fact: AlertEscalated) -> Org:
    alert = replace(org.alerts[fact.alert_id], severity=fact.severity)
    return replace(org, alerts=org.alerts.set(fact.alert_id, alert))


def _resolved(org: Org, fact: AlertResolved) -> Org:
    return replace(org, alerts=org.alerts.delete(fact.alert_id))


_NEW_ALERT = Thing(_new_alert, _named_by_raise, find=find_project, rights=rights_in_project)
_ALERT = Thing(_target, _named, find=_find_alert, rights=_rights)

HANDLERS: Final = (
    ThingHandler(RaiseAlert, EDITORS_AND_SERVICES, _NEW_ALERT, raise_alert),
    ThingHandler(ResolveAlert, EDITORS_AND_SERVICES, _ALERT, resolve_alert),
)
FOLDS: Final = (
    OrgFold(AlertRaised, _raised, touches=_touches),
    OrgFold(AlertEscalated, _escalated, touches=_touches),
    OrgFold(AlertResolved, _resolved, touches=_touches),
)
