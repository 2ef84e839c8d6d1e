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
SHOP, BLOG, ELSEWHERE = an_id(11), an_id(12), an_id(13)
HOTMART, ADS, SILENT, FOREIGN = an_id(21), an_id(22), an_id(23), an_id(24)
RUNNING, FAILED, DONE, OLD = an_id(31), an_id(32), an_id(33), an_id(34)
BY_HAND, ABOUT_ADS, CHOSEN, OF_OTHER = an_id(41), an_id(42), an_id(43), an_id(44)
BACKLOG = policy_alert_id(HOTMART, "dlq_backlog")
FAILING = policy_alert_id(ADS, "sync_failing")
SECRET: Final = "of-the-config-or-payload"
# Terminals interpret the first, rich the second.
MEAN = "late\x1b[31m [bold]since noon"

CONFIG = {"note": SECRET}
ROWS: Rows = {
    "orgs": [(org, "o", "2026-01-01Z") for org in (ACME, OTHER)],
    "projects": [
        (project, org, "p", "2026-01-01Z") for project, org in ((SHOP, ACME), (BLOG, ACME), (ELSEWHERE, OTHER))
    ],
    "source_connections": [
        (HOTMART, ACME, SHOP, "hotmart", "Courses", CONFIG, True),
        (ADS, ACME, SHOP, "meta_ads", "Campaigns", CONFIG, False),
        (SILENT, ACME, BLOG, "rss", "Feed", CONFIG, False),
        (FOREIGN, OTHER, ELSEWHERE, "hotmart", "Theirs", CONFIG, False),
    ],
    "sync_runs": [
        (RUNNING, HOTMART, "running", "2026-03-01 10:00:00.123456Z", None, None),
        (FAILED, ADS, "failed", "2026-03-02 10:00Z", "2026-03-02 12:05Z", MEAN),
        (DONE, ADS, "success", "2026-03-03 10:00Z", "2026-03-03 10:01Z", None),
        (OLD, FOREIGN, "failed", "2026-02-01 10:00Z", "2026-02-01 10:00Z", "x"),
    ],
    "dlq_events": [
        *((an_id(1000 + number), HOTMART, CONFIG, "pending", 0) for number in range(1200)),
        *((an_id(5000 + number), ADS, CONFIG, "pending" if number < 3 else "resolved", 0) for number in range(5)),
    ],
    "integration_alerts": [
        (BY_HAND, BLOG, "info", MEAN),
        (ABOUT_ADS, SHOP, "warning", "look at the ads"),
        (CHOSEN, SHOP, "warning", "an import"),
        (BACKLOG, SHOP, "critical", "many"),
        (FAILING, SHOP, "warning", "failing"),
        (OF_OTHER, ELSEWHERE, "critical", "theirs"),
    ],
}
RAISED = [
    (BY_HAND, "success", None, 0),
    (ABOUT_ADS, "success", ADS, 0),
    (CHOSEN, "success", HOTMART, 2),
    (CHOSEN, "success", ADS, 1),
    (CHOSEN, "failure", HOTMART, 0),
]
"""Alerts raised by hand: the connection that the entry names, and the age in days. One id was chosen three times."""
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
