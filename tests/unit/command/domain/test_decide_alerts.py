"""RAISE_ALERT and RESOLVE_ALERT: what people and services do with alerts by hand."""

from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import AlertRaised, AlertResolved
from daybook_contracts.entries.fields import Severity
from support.given import ANN, BOB, CAT, DAN, IMPORTER, alert, command, connection, given, made_by, project
from support.hub_scene import APP, BLOG, HUB, SHOP, WEB, by_hand, raised, recorded

QUIET = given(*HUB)
NOTED = AlertRaised(alert_id=alert(1), message="look here", project_id=WEB, severity="info")
LOUD = given(*HUB, NOTED, recorded(1), raised("dlq_backlog", "warning"))


def note(by: str | None = BOB, in_project: str = WEB, **data: Any) -> Command:
    return command("RAISE_ALERT", by=by, project_id=in_project, **{"severity": "info", "message": "look here"} | data)


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_an_alert_is_raised_about_a_project(severity: Severity) -> None:
    by_ann = note(ANN, severity=severity)
    id_ = made_by(by_ann)
    after = (
        QUIET.when(by_ann)
        .then(AlertRaised(alert_id=id_, message="look here", project_id=WEB, severity=severity))
        .after()
    )
    assert after is not None
    assert (after.alerts[id_].project_id, after.alerts[id_].severity) == (WEB, severity)


def test_an_alert_is_raised_about_a_connection_of_the_project() -> None:
    about = note(None, connection_id=SHOP)
    told = AlertRaised(
        alert_id=made_by(about), connection_id=SHOP, message="look here", project_id=WEB, severity="info"
    )
    QUIET.when(about).then(told)


@pytest.mark.parametrize("other", [BLOG, connection(9)], ids=["of another project", "unknown"])
def test_a_connection_that_is_not_of_the_project_is_not_found_after_rights_were_judged(other: str) -> None:
    QUIET.when(note(connection_id=other)).then_rejected(Code.CONNECTION_NOT_FOUND)
    QUIET.when(note(CAT, connection_id=other)).then_rejected(Code.FORBIDDEN)


def test_an_unknown_project_is_not_found_before_rights_are_judged() -> None:
    QUIET.when(note(CAT, project(9))).then_rejected(Code.PROJECT_NOT_FOUND)


@pytest.mark.parametrize("actor", [CAT, DAN], ids=["viewer", "editor elsewhere"])
def test_who_does_not_edit_the_project_neither_raises_nor_resolves(actor: str) -> None:
    QUIET.when(note(actor)).then_rejected(Code.FORBIDDEN)
    LOUD.when(command("RESOLVE_ALERT", by=actor, alert_id=alert(1))).then_rejected(Code.FORBIDDEN)


def test_a_service_chooses_the_id_of_an_alert_and_a_user_does_not() -> None:
    chosen = note(BOB, alert_id=alert(1))
    QUIET.when(chosen, IMPORTER).then(NOTED)
    QUIET.when(chosen).then_rejected(Code.FORBIDDEN)


@pytest.mark.parametrize("taken", [alert(1), alert(8)], ids=["in this org", "in another"])
def test_a_chosen_id_that_is_taken_exists_already(taken: str) -> None:
    LOUD.with_taken(alert(8)).when(note(None, alert_id=taken)).then_rejected(Code.ALREADY_EXISTS)


def test_a_connection_that_is_not_there_comes_before_an_id_that_is() -> None:
    LOUD.when(note(None, alert_id=alert(1), connection_id=BLOG)).then_rejected(Code.CONNECTION_NOT_FOUND)


def test_an_alert_is_resolved_once() -> None:
    resolve = command("RESOLVE_ALERT", by=BOB, alert_id=alert(1))
    gone = AlertResolved(alert_id=alert(1))
    after = LOUD.when(resolve).then(gone).after()
    assert after is not None
    assert alert(1) not in after.alerts
    given(*HUB, NOTED, gone).when(resolve).then_rejected(Code.ALERT_NOT_FOUND)


def test_a_policy_s_alert_can_be_resolved_by_hand() -> None:
    told = by_hand("dlq_backlog")
    LOUD.when(command("RESOLVE_ALERT", alert_id=told.alert_id)).then(told)


def test_an_unknown_alert_is_not_found_before_rights_are_judged() -> None:
    LOUD.when(command("RESOLVE_ALERT", by=CAT, alert_id=alert(9))).then_rejected(Code.ALERT_NOT_FOUND)


def test_the_right_to_resolve_is_judged_in_the_alert_s_own_project() -> None:
    scene = given(*HUB, AlertRaised(alert_id=alert(2), message="m", project_id=APP, severity="info"))
    resolve = command("RESOLVE_ALERT", by=DAN, alert_id=alert(2))
    scene.when(resolve).then(AlertResolved(alert_id=alert(2)))
    scene.when(command("RESOLVE_ALERT", by=BOB, alert_id=alert(2))).then_rejected(Code.FORBIDDEN)
