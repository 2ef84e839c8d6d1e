"""RAISE_ALERT and RESOLVE_ALERT: alerts raised and resolved by people and services."""

from typing import Any

import pytest
from msgspec import structs

from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import AlertRaised, AlertResolved
from daybook_contracts.entries.fields import Severity
from support.given import ANN, BOB, CAT, DAN, alert, command, connection, given, thing_id_of
from support.hub_scene import APP, BLOG, HUB, SHOP, WEB, alert_raised, letter_recorded, resolved_by_user

WITHOUT_ALERTS = given(*HUB)
MANUAL_ALERT = AlertRaised(alert_id=alert(1), message="look here", project_id=WEB, severity="info")
WITH_ALERTS = given(*HUB, MANUAL_ALERT, letter_recorded(1), alert_raised("dlq_backlog", "warning"))


def raise_alert(by: str | None = BOB, in_project: str = WEB, **data: Any) -> Command:
    return command("RAISE_ALERT", by=by, project_id=in_project, **{"severity": "info", "message": "look here"} | data)


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_an_alert_can_be_raised_for_a_project(severity: Severity) -> None:
    raise_by_ann = raise_alert(ANN, severity=severity)
    id_ = thing_id_of(raise_by_ann)
    told = structs.replace(MANUAL_ALERT, alert_id=id_, severity=severity)
    after = WITHOUT_ALERTS.when(raise_by_ann).then(told).after()
    assert (after.alerts[id_].project_id, after.alerts[id_].severity) == (WEB, severity)


def test_an_alert_can_be_raised_for_a_connection_of_the_project() -> None:
    raise_for_shop = raise_alert(None, connection_id=SHOP)
    told = structs.replace(MANUAL_ALERT, alert_id=thing_id_of(raise_for_shop), connection_id=SHOP)
    WITHOUT_ALERTS.when(raise_for_shop).then(told)


@pytest.mark.parametrize("other", [BLOG, connection(9)], ids=["of another project", "unknown"])
def test_a_connection_outside_the_project_is_not_found_but_rights_are_checked_first(other: str) -> None:
    WITHOUT_ALERTS.when(raise_alert(connection_id=other)).then_rejected(Code.CONNECTION_NOT_FOUND)
    WITHOUT_ALERTS.when(raise_alert(CAT, connection_id=other)).then_rejected(Code.FORBIDDEN)


def test_a_missing_connection_is_reported_before_a_taken_id() -> None:
    WITH_ALERTS.when(raise_alert(None, alert_id=alert(1), connection_id=BLOG)).then_rejected(Code.CONNECTION_NOT_FOUND)


def test_an_alert_can_be_resolved_only_once() -> None:
    resolve = command("RESOLVE_ALERT", by=BOB, alert_id=alert(1))
    resolved = AlertResolved(alert_id=alert(1))
    after = WITH_ALERTS.when(resolve).then(resolved).after()
    assert alert(1) not in after.alerts
    given(*HUB, MANUAL_ALERT, resolved).when(resolve).then_rejected(Code.ALERT_NOT_FOUND)


def test_a_user_can_resolve_an_alert_that_a_policy_raised() -> None:
    resolved = resolved_by_user("dlq_backlog")
    WITH_ALERTS.when(command("RESOLVE_ALERT", alert_id=resolved.alert_id)).then(resolved)


def test_the_right_to_resolve_is_checked_in_the_alerts_own_project() -> None:
    scene = given(*HUB, AlertRaised(alert_id=alert(2), message="m", project_id=APP, severity="info"))
    resolve = command("RESOLVE_ALERT", by=DAN, alert_id=alert(2))
    scene.when(resolve).then(AlertResolved(alert_id=alert(2)))
    scene.when(command("RESOLVE_ALERT", by=BOB, alert_id=alert(2))).then_rejected(Code.FORBIDDEN)
