"""Rows of the integration hub's tables: two orgs with connections, runs, dead letters and alerts."""

import json
from typing import Final

from daybook_contracts.entries.identity import policy_alert_id
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from support.planted_rows import Rows, plant


def an_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


ACME, OTHER = an_id(1), an_id(2)
SHOP, BLOG, OTHER_PROJECT = an_id(11), an_id(12), an_id(13)
HOTMART, ADS, FEED, OTHER_SHOP = an_id(21), an_id(22), an_id(23), an_id(24)
RUNNING_SYNC, FAILED_SYNC, COMPLETED_SYNC, OTHER_SYNC = an_id(31), an_id(32), an_id(33), an_id(34)
MANUAL_ALERT, ADS_ALERT, REUSED_ALERT, OTHER_ALERT = an_id(41), an_id(42), an_id(43), an_id(44)
BACKLOG_ALERT = policy_alert_id(HOTMART, "dlq_backlog")
FAILING_ALERT = policy_alert_id(ADS, "sync_failing")
SECRET: Final = "of-the-config-or-payload"
# A terminal would interpret the escape sequence, and the library rich the square brackets.
MARKUP = "late\x1b[31m [bold]since noon"

CONFIG = {"note": SECRET}
ROWS: Rows = {
    "orgs": [(org, "o", "2026-01-01Z") for org in (ACME, OTHER)],
    "projects": [
        (project, org, "p", "2026-01-01Z") for project, org in ((SHOP, ACME), (BLOG, ACME), (OTHER_PROJECT, OTHER))
    ],
    "source_connections": [
        (HOTMART, ACME, SHOP, "hotmart", "Courses", CONFIG, True),
        (ADS, ACME, SHOP, "meta_ads", "Campaigns", CONFIG, False),
        (FEED, ACME, BLOG, "rss", "Feed", CONFIG, False),
        (OTHER_SHOP, OTHER, OTHER_PROJECT, "hotmart", "Theirs", CONFIG, False),
    ],
    "sync_runs": [
        (RUNNING_SYNC, HOTMART, "running", "2026-03-01 10:00:00.123456Z", None, None),
        (FAILED_SYNC, ADS, "failed", "2026-03-02 10:00Z", "2026-03-02 12:05Z", MARKUP),
        (COMPLETED_SYNC, ADS, "success", "2026-03-03 10:00Z", "2026-03-03 10:01Z", None),
        (OTHER_SYNC, OTHER_SHOP, "failed", "2026-02-01 10:00Z", "2026-02-01 10:00Z", "x"),
    ],
    "dlq_events": [
        *((an_id(1000 + number), HOTMART, CONFIG, "pending", 0) for number in range(1200)),
        *((an_id(5000 + number), ADS, CONFIG, "pending" if number < 3 else "resolved", 0) for number in range(5)),
    ],
    "integration_alerts": [
        (MANUAL_ALERT, BLOG, "info", MARKUP),
        (ADS_ALERT, SHOP, "warning", "look at the ads"),
        (REUSED_ALERT, SHOP, "warning", "an import"),
        (BACKLOG_ALERT, SHOP, "critical", "many"),
        (FAILING_ALERT, SHOP, "warning", "failing"),
        (OTHER_ALERT, OTHER_PROJECT, "critical", "theirs"),
    ],
}
RAISED = [
    (MANUAL_ALERT, "success", None, 0),
    (ADS_ALERT, "success", ADS, 0),
    (REUSED_ALERT, "success", HOTMART, 2),
    (REUSED_ALERT, "success", ADS, 1),
    (REUSED_ALERT, "failure", HOTMART, 0),
]
"""Entries of alerts that users raised: the alert's id, the result, the connection that the entry names, and the entry's
age in days. Three of them chose the same id.
"""
ENTRY = """
INSERT INTO audit_log
VALUES (gen_random_uuid(), $1, null, null, 'RAISE_ALERT', 'integration_alert', $2, $3, $4, now() - interval '1d' * $5)
"""


async def fill(settings: Settings) -> None:
    async with connect(settings, "test") as database:
        await plant(database, ROWS)
        for alert_id, result, connection_id, days in RAISED:
            data = {"project_id": SHOP} | ({} if connection_id is None else {"connection_id": connection_id})
            await database.execute(ENTRY, ACME, alert_id, result, json.dumps({"data": data}), days)
