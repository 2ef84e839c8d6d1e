"""Decides on alerts that somebody raises or resolves by hand, also those that a policy raised."""

from daybook_command.domain import rejections
from daybook_command.domain.decision import Decision, DecisionContext
from daybook_command.domain.permissions import in_project, may, may_choose, may_on
from daybook_command.domain.state import Org
from daybook_command.domain.targets import accepted, is_taken
from daybook_contracts.commands.alerts import RaiseAlert, ResolveAlert
from daybook_contracts.entries.facts import AlertRaised, AlertResolved
from daybook_contracts.entries.fields import unless_none


def raise_alert(command: RaiseAlert, org: Org, context: DecisionContext) -> Decision:
    data = command.data
    alert_id = data.alert_id or context.new_id
    project = org.projects.get(data.project_id)
    if project is None:
        return rejections.PROJECT_NOT_FOUND
    if not may(command.type, in_project(org, project, command.actor_user_id)):
        return rejections.FORBIDDEN
    if not may_choose(data.alert_id, context.principal):
        return rejections.CHOSEN_ID
    if data.connection_id is not None and not _is_in_project(org, data.connection_id, data.project_id):
        return rejections.NOT_IN_PROJECT
    if is_taken(alert_id, org.alerts, context):
        return rejections.ID_TAKEN
    raised = AlertRaised(
        alert_id=alert_id,
        connection_id=unless_none(data.connection_id),
        message=data.message,
        project_id=data.project_id,
        severity=data.severity,
    )
    return accepted(command, org, context, raised)


def _is_in_project(org: Org, connection_id: str, project_id: str) -> bool:
    connection = org.connections.get(connection_id)
    return connection is not None and connection.project_id == project_id


def resolve_alert(command: ResolveAlert, org: Org, context: DecisionContext) -> Decision:
    alert_id = command.data.alert_id
    alert = org.alerts.get(alert_id)
    if alert is None:
        return rejections.ALERT_NOT_FOUND
    if not may_on(command, org, alert):
        return rejections.FORBIDDEN
    return accepted(command, org, context, AlertResolved(alert_id=alert_id))
