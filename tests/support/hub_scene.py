"""An example org with connections, as facts. BOB is an editor of the project WEB, CAT a viewer of WEB, and DAN an
editor of the project APP.

In HUB, SHOP and ADS are connections of WEB, and BLOG is a connection of APP. In CONFIGURED, WEB has the connections
SHOP and SHEETS, with configs. No connection has runs, dead letters or alerts yet.
"""

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, Rule, Severity, free_json
from daybook_contracts.entries.identity import policy_alert_id
from support.connection_configs import HOTMART
from support.given import BOB, CAT, DAN, connection, dead_letter, project, secret_ref, sync_run

WEB, APP = project(1), project(2)
SHOP, ADS, BLOG, SHEETS = (connection(number) for number in (1, 2, 3, 4))
PLAIN = {"sheet": "prices", "rows": 12.0}
"""The config of a connection whose type has no model."""
MESSAGES: dict[tuple[Rule, Severity], str] = {
    ("sync_failing", "warning"): "The last sync of this connection failed.",
    ("sync_failing", "critical"): "At least 3 syncs of this connection failed in a row.",
    ("dlq_backlog", "warning"): "Dead letters of this connection are pending.",
    ("dlq_backlog", "critical"): "At least 100 dead letters of this connection are pending.",
    ("sync_stalled", "critical"): "A sync of this connection ran for too long, so it was ended as failed.",
}


def connection_created(
    connection_id: str, project_id: str, config: object = None, *, type_: str = "sheets", name: str = "S"
) -> facts.ConnectionCreated:
    made = free_json({} if config is None else config)
    return facts.ConnectionCreated(
        connection_id=connection_id, project_id=project_id, type=type_, name=name, config=made
    )


FOUNDED: tuple[Fact, ...] = (
    facts.OrgCreated(name="Acme"),
    facts.MemberAdded(user_id=BOB, role="member"),
    facts.MemberAdded(user_id=CAT, role="member"),
    facts.MemberAdded(user_id=DAN, role="member"),
    facts.ProjectCreated(project_id=WEB, name="Web"),
    facts.ProjectCreated(project_id=APP, name="App"),
    facts.ProjectMemberAdded(project_id=WEB, user_id=BOB, role="editor"),
    facts.ProjectMemberAdded(project_id=WEB, user_id=CAT, role="viewer"),
    facts.ProjectMemberAdded(project_id=APP, user_id=DAN, role="editor"),
)
HUB = (*FOUNDED, connection_created(SHOP, WEB), connection_created(ADS, WEB), connection_created(BLOG, APP))
WITH_SECRETS = (
    *FOUNDED,
    facts.SecretRefCreated(secret_ref_id=secret_ref(1), key_name="shop_hottok", secret_id_ref="env:HOTTOK"),
    facts.SecretRefCreated(secret_ref_id=secret_ref(2), key_name="ads_token", secret_id_ref="env:ADS"),
)
CONFIGURED = (
    *WITH_SECRETS,
    connection_created(SHOP, WEB, HOTMART, type_="hotmart", name="Shop"),
    connection_created(SHEETS, WEB, PLAIN, name="Prices"),
)


def sync_started(number: int, of: str = SHOP) -> facts.SyncStarted:
    return facts.SyncStarted(connection_id=of, sync_run_id=sync_run(number))


def sync_completed(number: int, of: str = SHOP) -> facts.SyncCompleted:
    return facts.SyncCompleted(connection_id=of, sync_run_id=sync_run(number))


def sync_failed(number: int, of: str = SHOP, message: str = "down") -> facts.SyncFailed:
    return facts.SyncFailed(connection_id=of, sync_run_id=sync_run(number), error_message=message)


def sync_cancelled(number: int, of: str = SHOP) -> facts.SyncCancelled:
    return facts.SyncCancelled(connection_id=of, sync_run_id=sync_run(number))


def letter_recorded(number: int, of: str = SHOP) -> facts.DlqEventRecorded:
    return facts.DlqEventRecorded(connection_id=of, dlq_event_id=dead_letter(number), payload=free_json({"n": number}))


def letter_resolved(number: int, of: str = SHOP) -> facts.DlqEventResolved:
    return facts.DlqEventResolved(connection_id=of, dlq_event_id=dead_letter(number), resolution="manual")


def alert_raised(rule: Rule, severity: Severity, of: str = SHOP, project_id: str = WEB) -> facts.AlertRaised:
    return facts.AlertRaised(
        alert_id=policy_alert_id(of, rule),
        connection_id=of,
        message=MESSAGES[rule, severity],
        project_id=project_id,
        rule=rule,
        severity=severity,
    )


def alert_escalated(rule: Rule, of: str = SHOP) -> facts.AlertEscalated:
    return facts.AlertEscalated(
        alert_id=policy_alert_id(of, rule),
        connection_id=of,
        message=MESSAGES[rule, "critical"],
        rule=rule,
        severity="critical",
    )


def resolved_by_policy(rule: Rule, of: str = SHOP) -> facts.AlertResolved:
    """A policy's alert, resolved by the policy."""
    return facts.AlertResolved(alert_id=policy_alert_id(of, rule), connection_id=of, rule=rule)


def resolved_by_user(rule: Rule, of: str = SHOP) -> facts.AlertResolved:
    """A policy's alert, resolved by a user."""
    return facts.AlertResolved(alert_id=policy_alert_id(of, rule))
